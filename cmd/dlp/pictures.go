package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
	"github.com/dlp-mpi/dlp-go/internal/timeline/draw"
)

// pictures are the files that dlp report draws; empty: not this one.
type pictures struct {
	html, svg, trace string
	loop             int // the only one that is drawn, from 1; 0: all
}

func pictureFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "html", Usage: "draw a page for a browser in `FILE`: zoom, search for what took long"},
		&cli.StringFlag{Name: "svg", Usage: "draw a still picture of one loop in `FILE`"},
		&cli.StringFlag{Name: "trace", Usage: "write `FILE` for Perfetto (ui.perfetto.dev), in the Trace Event Format"},
		&cli.IntFlag{Name: "loop", Usage: "report on loop `N` only, from 1", DefaultText: "all"},
	}
}

func picturesOf(c *cli.Context) (*pictures, error) {
	p := &pictures{c.String("html"), c.String("svg"), c.String("trace"), c.Int("loop")}
	if c.IsSet("loop") && p.loop < 1 {
		return nil, usage("--loop %d: loops count from 1", p.loop)
	}
	return p, nil
}

func (p *pictures) any() bool { return p.html != "" || p.svg != "" || p.trace != "" }

// choose returns the loops to report on.
func (p *pictures) choose(loops []*timeline.Loop) ([]*timeline.Loop, error) {
	switch {
	case p.loop > len(loops):
		return nil, fmt.Errorf("--loop %d: there are %s", p.loop, counted(len(loops), "loop"))
	case p.loop > 0:
		return loops[p.loop-1 : p.loop], nil
	case p.svg != "" && len(loops) != 1:
		return nil, fmt.Errorf("--svg draws one loop, and there are %d: choose by --loop", len(loops))
	}
	return loops, nil
}

// write draws what is wanted.
func (p *pictures) write(loops []*timeline.Loop) error {
	for _, f := range []struct {
		flag, path string
		draw       func(io.Writer) error
	}{
		{"--html", p.html, func(w io.Writer) error { return draw.Page(w, loops) }},
		{"--svg", p.svg, func(w io.Writer) error { return draw.SVG(w, loops[0]) }},
		{"--trace", p.trace, func(w io.Writer) error { return draw.Trace(w, loops) }},
	} {
		if f.path == "" {
			continue
		}
		if err := writeWhole(f.path, f.draw); err != nil {
			return fmt.Errorf("%s: %w", f.flag, err)
		}
	}
	return nil
}

// timelineReport is what dlp report says of a timeline. Its JSON is what --json
// prints.
type timelineReport struct {
	Loops []loopReport `json:"loops"`
	Torn  int          `json:"torn_bytes"`
}

type loopReport struct {
	Title string `json:"title"`
	*draw.Summary
	Longest []longItem `json:"longest"`
}

type longItem struct {
	Index int     `json:"index"`
	Rank  int     `json:"rank"`
	Slot  int     `json:"slot"`
	Start float64 `json:"start_s"`
	Took  float64 `json:"took_s"`
	Note  string  `json:"note"`
}

func reportTimeline(loops []*timeline.Loop, torn int) *timelineReport {
	r := &timelineReport{Loops: []loopReport{}, Torn: torn}
	for _, l := range loops {
		s := draw.Summarize(l, draw.Rows(l))
		report := loopReport{Title: draw.Title(l), Summary: s, Longest: []longItem{}}
		for _, item := range s.Longest[:min(namedItems, len(s.Longest))] {
			report.Longest = append(report.Longest, longItem{item.Index, int(item.Rank), int(item.Slot), item.Start.Seconds(), item.Took.Seconds(), l.Notes[item.Index].Text})
		}
		r.Loops = append(r.Loops, report)
	}
	return r
}

// print writes what people read.
func (r *timelineReport) print(to io.Writer) error {
	var b []byte
	for i, l := range r.Loops {
		b = fmt.Appendf(b, "loop %d: %s\n    %s\n    %s\n", i+1, l.Title, l.Numbers(), l.Limit)
		for _, item := range l.Longest[:min(3, len(l.Longest))] {
			note := ""
			if item.Note != "" {
				note = " (" + short(item.Note) + ")"
			}
			b = fmt.Appendf(b, "    long: item %d%s took %.3g s on rank %d\n", item.Index, note, item.Took, item.Rank)
		}
	}
	if len(r.Loops) == 0 {
		b = fmt.Appendf(b, "no loop was recorded\n")
	}
	if r.Torn > 0 {
		b = fmt.Appendf(b, "%d bytes are no record: whoever wrote them was interrupted\n", r.Torn)
	}
	_, err := to.Write(b)
	return err
}

// loops are what a journal knows of the maps that wrote it, one for each start. It
// has no slots: items lie in as few as they fit in.
func (s *journalState) loops() []*timeline.Loop {
	loops := make([]*timeline.Loop, len(s.begins))
	for i, begin := range s.begins {
		loops[i] = &timeline.Loop{
			Head:  timeline.Head{Kind: "map of a journal", Job: begin.Job, Began: begin.Time, Items: -1},
			Notes: map[int]timeline.Note{}, Ended: true,
		}
		for _, host := range begin.Hosts {
			loops[i].Ranks = append(loops[i].Ranks, timeline.Rank{Host: host})
		}
	}
	items := slices.DeleteFunc(slices.Clone(s.all), func(i journalItem) bool { return i.start == 0 })
	slices.SortFunc(items, func(a, b journalItem) int { return a.began.Compare(b.began) })
	ends := make(map[[2]int][]int64) // of the slots, by start and rank
	for _, item := range items {
		l := loops[item.start-1]
		for item.Rank >= len(l.Ranks) {
			l.Ranks = append(l.Ranks, timeline.Rank{})
		}
		began := max(0, item.began.Sub(l.Began)) // the clock of its node may be behind
		record := timeline.Record{Start: began, Took: item.Took, Index: item.Index, Rank: int32(item.Rank)}
		slots := ends[[2]int{item.start, item.Rank}]
		slot := slices.IndexFunc(slots, func(end int64) bool { return end <= int64(began) })
		if slot < 0 {
			slot, slots = len(slots), append(slots, 0)
		}
		slots[slot] = int64(record.End())
		ends[[2]int{item.start, item.Rank}] = slots
		record.Slot = int32(slot)
		l.Ranks[item.Rank].Slots = max(l.Ranks[item.Rank].Slots, slot+1)
		if item.failed {
			record.State = timeline.Failed
		}
		l.Elapsed = max(l.Elapsed, record.End())
		if item.Item != "" {
			l.Notes[item.Index] = timeline.Note{Index: item.Index, Failed: item.failed, Text: item.Item}
		}
		l.Records = append(l.Records, record)
	}
	for _, l := range loops {
		slices.SortFunc(l.Records, timeline.InOrder)
	}
	return loops
}
