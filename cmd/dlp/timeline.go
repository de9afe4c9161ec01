package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
	"github.com/dlp-mpi/dlp-go/internal/timeline/draw"
)

// drawn says whether --timeline wants a page, and not what was recorded.
func (o *options) drawn() bool { return strings.HasSuffix(o.timeline, ".html") }

// recordTo is the file in which the loop records, empty for none. That for a page
// stays until it is drawn.
func (o *options) recordTo() string {
	if o.drawn() {
		return o.timeline + ".timeline"
	}
	return o.timeline
}

// notes are what a timeline has of items beside their times: of those that have
// failed, and of the longest.
type notes struct {
	failed  []timeline.Note
	longest []longNote
}

type longNote struct {
	timeline.Note
	took time.Duration
}

const (
	mostFailedNotes = 10_000
	mostLongNotes   = 100
)

// add notes an item. Its number is that of {#}: records count from 0.
func (n *notes) add(t task, r *report) {
	note := timeline.Note{Index: t.Index, Failed: r.failed()}
	text := func() string { return fmt.Sprintf("#%d: %s", t.Index+1, short(t.item().Text())) }
	if note.Failed {
		if len(n.failed) < mostFailedNotes {
			note.Text = text() + ": " + r.how()
			n.failed = append(n.failed, note)
		}
		return
	}
	if len(n.longest) == mostLongNotes && r.Took <= n.longest[mostLongNotes-1].took {
		return
	}
	note.Text = text()
	at, _ := slices.BinarySearchFunc(n.longest, r.Took, func(l longNote, took time.Duration) int { return cmp.Compare(took, l.took) })
	n.longest = slices.Insert(n.longest, at, longNote{note, r.Took})
	n.longest = n.longest[:min(len(n.longest), mostLongNotes)]
}

// drawTimeline completes the timeline, and draws it if that is wanted.
func (c *collector) drawTimeline() error {
	if c.timeline == "" {
		return nil
	}
	all := c.notes.failed
	for _, l := range c.notes.longest {
		all = append(all, l.Note)
	}
	path := c.recordTo()
	if err := timeline.AppendNotes(path, all); err != nil || !c.drawn() {
		return err
	}
	file, err := timeline.ReadFile(path)
	if err != nil {
		return err
	}
	if err := writeWhole(c.timeline, func(w io.Writer) error { return draw.Page(w, file.Loops) }); err != nil {
		return fmt.Errorf("--timeline: %w", err)
	}
	return os.Remove(path)
}
