// Ours is this project's side of the benchmark: "ours MEASURE..." prints, on
// rank 0, a line per measure: its name, a tab, and seconds per operation, the
// median of some rows of them. Without a measure it is a barrier. bench/c/mpi.c
// does the same by MPI.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	if len(os.Args) == 1 { // only the start is measured
		return world.Barrier(ctx)
	}
	for _, name := range os.Args[1:] {
		i := slices.IndexFunc(measures, func(m measure) bool { return m.name == name })
		if i < 0 {
			return fmt.Errorf("no measure %q", name)
		}
		if err := measures[i].run(ctx, world); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// measure is an operation that is timed in rows of n.
type measure struct {
	name    string
	size    int // bytes of a rank's part, or items of a map
	n, rows int
	per     int // operations in one call
	prepare func(ctx context.Context, world *dlp.Comm, size int) func() error
}

var measures = []measure{
	{"pingpong", 8, 2000, 9, 1, pingpong(0, 1)},
	{"workers", 8, 2000, 9, 1, pingpong(1, 2)},
	{"barrier", 0, 500, 9, 1, barrier},
	{"bcast", 64 << 20, 1, 7, 1, bcast},
	{"gather", 64 << 20, 1, 5, 1, gather},
	{"scatter", 1 << 20, 10, 7, 1, scatter},
	{"allgather", 1 << 20, 10, 7, 1, allgather},
	{"allreduce", 8 << 20, 2, 7, 1, allreduce},
	{"map", 20_000, 1, 5, 20_000, mapTrivial},
	{"map-100us", 2_000, 1, 3, 2_000, mapShort},
}

func (m *measure) run(ctx context.Context, world *dlp.Comm) error {
	operation := m.prepare(ctx, world, m.size)
	var times []time.Duration
	for i := range m.rows + 1 {
		d, err := row(ctx, world, operation, m.n)
		if err != nil {
			return err
		}
		if i > 0 { // the first one warms up
			times = append(times, d)
		}
	}
	if world.IsRoot() {
		slices.Sort(times)
		fmt.Printf("%s\t%.9f\n", m.name, times[len(times)/2].Seconds()/float64(m.n*m.per))
	}
	return nil
}

// row is the time of n operations between barriers.
func row(ctx context.Context, world *dlp.Comm, operation func() error, n int) (time.Duration, error) {
	if err := world.Barrier(ctx); err != nil {
		return 0, err
	}
	start := time.Now()
	for range n {
		if err := operation(); err != nil {
			return 0, err
		}
	}
	if err := world.Barrier(ctx); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}
