package main

import (
	"context"
	"iter"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// loop is the map as a loop of package dlp, on one rank. Items that fail are
// results like others; only rank 0 has items.
func (m *mapping) loop(ctx context.Context, items iter.Seq[task], work func(context.Context, task) (report, error)) iter.Seq2[dlp.Result[report], error] {
	options := []dlp.MapOption{
		dlp.Slots(len(m.slots)), dlp.RootWorks(), dlp.OnError(dlp.Continue), dlp.StopOn(m.halt.asked, m.grace),
	}
	if m.stopBefore > 0 {
		options = append(options, dlp.StopBefore(m.stopBefore))
	}
	return dlp.MapFromRoot(ctx, m.world, items, work, options...)
}
