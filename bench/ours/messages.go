package main

import (
	"context"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// pingpong is a round trip of a number between two ranks.
func pingpong(first, second int) func(context.Context, *dlp.Comm, int) func() error {
	return func(ctx context.Context, world *dlp.Comm, _ int) func() error {
		peer := second
		switch world.Rank() {
		case first:
		case second:
			peer = first
		default:
			return func() error { return nil }
		}
		return func() error {
			if peer == second {
				if err := dlp.Send(ctx, world, int64(1), peer, 0); err != nil {
					return err
				}
			}
			v, _, err := dlp.Recv[int64](ctx, world, peer, 0)
			if err == nil && peer == first {
				err = dlp.Send(ctx, world, v, peer, 0)
			}
			return err
		}
	}
}

func barrier(ctx context.Context, world *dlp.Comm, _ int) func() error {
	return func() error { return world.Barrier(ctx) }
}

func bcast(ctx context.Context, world *dlp.Comm, bytes int) func() error {
	part := make([]byte, bytes)
	return func() error { return dlp.BcastInto(ctx, world, part) }
}

func gather(ctx context.Context, world *dlp.Comm, bytes int) func() error {
	part := make([]byte, bytes)
	var all []byte
	if world.IsRoot() {
		all = make([]byte, bytes*world.Size())
	}
	return func() error { return dlp.GatherInto(ctx, world, part, all) }
}

func scatter(ctx context.Context, world *dlp.Comm, bytes int) func() error {
	part := make([]byte, bytes)
	var all []byte
	if world.IsRoot() {
		all = make([]byte, bytes*world.Size())
	}
	return func() error { return dlp.ScatterInto(ctx, world, all, part) }
}

func allgather(ctx context.Context, world *dlp.Comm, bytes int) func() error {
	part, all := make([]byte, bytes), make([]byte, bytes*world.Size())
	return func() error { return dlp.AllgatherInto(ctx, world, part, all) }
}

func allreduce(ctx context.Context, world *dlp.Comm, bytes int) func() error {
	values := make([]float64, bytes/8)
	return func() error { return dlp.AllreduceInto(ctx, world, values, dlp.Sum) }
}
