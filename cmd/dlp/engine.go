package main

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// loop is the map as a loop of package dlp, on one rank. Items that fail are
// results like others; only rank 0 has items. Reports travel as bytes, which a
// journal then keeps as they are.
func (m *mapping) loop(ctx context.Context, items iter.Seq[task], work func(context.Context, task) (report, error)) iter.Seq2[dlp.Result[report], error] {
	options := []dlp.MapOption{
		dlp.Slots(len(m.slots)), dlp.RootWorks(), dlp.OnError(dlp.Continue), dlp.StopOn(m.halt.asked, m.grace),
	}
	if m.stopBefore > 0 {
		options = append(options, dlp.StopBefore(m.stopBefore))
	}
	if m.journal != "" {
		options = append(options, dlp.Journal(m.journal, dlp.JournalRedo(m.redo)), dlp.Key(m.identity))
	}
	if m.timeline != "" {
		options = append(options, dlp.Timeline(m.recordTo()))
	}
	encoded := func(ctx context.Context, t task) ([]byte, error) {
		r, err := work(ctx, t)
		if err != nil {
			return nil, err
		}
		return r.encode(), nil
	}
	return func(yield func(dlp.Result[report], error) bool) {
		for r, err := range dlp.MapFromRoot(ctx, m.world, items, encoded, options...) {
			decoded := dlp.Result[report]{Index: r.Index, Rank: r.Rank, Err: r.Err, Duration: r.Duration, Resumed: r.Resumed}
			if err == nil && r.Err == nil {
				decoded.Value, err = decodeReport(r.Value)
			}
			if !yield(decoded, err) {
				return
			}
		}
	}
}

// identity is what makes an item the same in another start: the command, and the
// item.
func (o *options) identity(t task) string {
	text, _ := json.Marshal([]any{o.command, o.worker, o.mode, t.Columns}) // strings and bools
	return string(text)
}

// redo says whether an item is to be run again of which a journal has a report.
func (o *options) redo(b []byte) bool {
	r, err := decodeReport(b)
	return err != nil || r.CannotRun || o.retryFailed && r.failed()
}
