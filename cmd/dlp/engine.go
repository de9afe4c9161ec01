package main

import (
	"context"
	"iter"
	"sync"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// mapFromRoot is the loop, on one rank.
func mapFromRoot(ctx context.Context, m *mapping, items iter.Seq[task], work func(context.Context, task) (report, error)) iter.Seq2[dlp.Result[report], error] {
	return func(yield func(dlp.Result[report], error) bool) {
		results := make(chan dlp.Result[report])
		next := make(chan task)
		go func() {
			defer close(next)
			for t := range items {
				select {
				case next <- t:
				case <-m.halt.asked:
					return
				}
			}
		}()
		var wg sync.WaitGroup
		for i := range m.slots {
			wg.Go(func() {
				for t := range next {
					r, err := work(context.WithValue(ctx, slotKey{}, i), t)
					results <- dlp.Result[report]{Index: t.Index, Value: r, Err: err}
				}
			})
		}
		go func() { wg.Wait(); close(results) }()
		for r := range results {
			if !yield(r, nil) {
				panic("stand-in")
			}
		}
		select {
		case <-m.halt.asked:
			yield(dlp.Result[report]{}, dlp.ErrStopped)
		default:
		}
	}
}

type slotKey struct{}

func slotOf(ctx context.Context) int { return ctx.Value(slotKey{}).(int) }
