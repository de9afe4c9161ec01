package main

import (
	"context"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// mapOf is a map over some items; its time is that of one item.
func mapOf(work func(context.Context, int) (int, error)) func(context.Context, *dlp.Comm, int) func() error {
	return func(ctx context.Context, world *dlp.Comm, count int) func() error {
		items := make([]int, count)
		for i := range items {
			items[i] = i
		}
		return func() error {
			for _, err := range dlp.MapUnordered(ctx, world, items, work) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
}

// mapTrivial is a map whose items cost nothing.
var mapTrivial = mapOf(func(_ context.Context, i int) (int, error) { return i + 1, nil })

// mapShort is a map whose items take 100 us of a processor.
var mapShort = mapOf(func(_ context.Context, i int) (int, error) {
	for start := time.Now(); time.Since(start) < 100*time.Microsecond; {
	}
	return i + 1, nil
})
