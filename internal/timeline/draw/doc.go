// Package draw makes pictures of loops that were recorded in a timeline, or that a
// journal tells of: a page for a browser (Page), a still picture (SVG), and events
// for trace viewers (Trace). Rows are slots, and bars are items.
//
// Summarize says what the picture shows in numbers and in one sentence. The numbers
// are those that the POP project defines: parallel efficiency is load balance times
// communication efficiency.
package draw

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// Row is what one slot did, by start.
type Row struct {
	Rank, Slot int
	Host       string
	Body       bool // of rank 0's loop body, which is in no slot
	Records    []timeline.Record
}

// Name is what stands beside a row.
func (r *Row) Name(slots int) string {
	switch {
	case r.Body:
		return "loop body"
	case slots > 1:
		return strings.TrimSpace(fmt.Sprintf("rank %d.%d %s", r.Rank, r.Slot, r.Host))
	}
	return strings.TrimSpace(fmt.Sprintf("rank %d %s", r.Rank, r.Host))
}

// Rows puts the records of a loop in rows: rank 0's loop body, if it has run, and
// all slots, those too that have done nothing.
func Rows(l *timeline.Loop) []Row {
	var body Row
	var rows []Row
	first := make([]int, len(l.Ranks)) // row of slot 0
	for rank, r := range l.Ranks {
		first[rank] = len(rows)
		for slot := range r.Slots {
			rows = append(rows, Row{Rank: rank, Slot: slot, Host: r.Host})
		}
	}
	for _, r := range l.Records {
		if r.State == timeline.Body {
			body.Records = append(body.Records, r)
		} else if int(r.Slot) < l.Ranks[r.Rank].Slots {
			row := &rows[first[r.Rank]+int(r.Slot)]
			row.Records = append(row.Records, r)
		}
	}
	for _, loss := range l.Losses {
		for slot := range l.Ranks[loss.Rank].Slots {
			rows[first[loss.Rank]+slot].lose(loss.At)
		}
	}
	if len(body.Records) > 0 {
		body.Body, body.Host = true, l.Ranks[0].Host
		rows = slices.Insert(rows, 0, body)
	}
	return rows
}

// lose fills the time from the last record of the row until its rank was lost.
func (r *Row) lose(at time.Duration) {
	var from time.Duration
	if n := len(r.Records); n > 0 {
		from = r.Records[n-1].End()
	}
	if from < at {
		r.Records = append(r.Records, timeline.Record{
			Start: from, Took: at - from, Rank: int32(r.Rank), Slot: int32(r.Slot), State: Lost,
		})
	}
}

// Title is what a loop is called.
func Title(l *timeline.Loop) string {
	title := l.Kind
	if l.Label != "" {
		title += " " + l.Label
	}
	if l.Job != "" {
		title += ", job " + l.Job
	}
	return title
}
