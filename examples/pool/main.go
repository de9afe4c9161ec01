// Pool counts the steps of Collatz sequences, in two ways: with a pool of workers,
// each of which gets a task when it is free, and by scatter and gather, where each
// rank gets its share at once. The first is for tasks that take different times.
//
//	ameexec -n 4 pool
package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	var numbers []int // on rank 0 alone
	if world.IsRoot() {
		for n := 1; n <= 3000; n++ {
			numbers = append(numbers, n)
		}
	}
	if err := byPool(ctx, world, numbers); err != nil {
		return err
	}
	return byScatter(ctx, world, numbers)
}

// byPool maps the numbers in order. Rank 0 only hands out and collects.
func byPool(ctx context.Context, world *dlp.Comm, numbers []int) error {
	steps := dlp.NewFunc("steps", steps)
	return dlp.Execute(ctx, world, func(ctx context.Context, ex *dlp.Executor) error {
		var all []int
		// So many tasks are on their way that no rank waits.
		for n, err := range steps.Map(ctx, ex, slices.Values(numbers), 100*ex.Slots()) {
			if err != nil {
				return err
			}
			all = append(all, n)
		}
		report("pool", all)
		return nil
	}, steps)
}

// byScatter gives each rank as many numbers as every other, rank 0 too.
func byScatter(ctx context.Context, world *dlp.Comm, numbers []int) error {
	share, err := dlp.Scatterv(ctx, world, numbers, nil)
	if err != nil {
		return err
	}
	part := make([]int, len(share))
	for i, n := range share {
		if part[i], err = steps(ctx, n); err != nil {
			return err
		}
	}
	all, err := dlp.Gatherv(ctx, world, part)
	if err != nil {
		return err
	}
	if world.IsRoot() {
		report("scatter and gather", all)
	}
	return nil
}

func report(how string, all []int) {
	most := slices.Max(all)
	fmt.Printf("%s: of %d numbers, %d takes most steps: %d\n", how, len(all), slices.Index(all, most)+1, most)
}

func steps(_ context.Context, n int) (count int, err error) {
	for ; n != 1; count++ {
		if n%2 == 0 {
			n /= 2
		} else {
			n = 3*n + 1
		}
	}
	return count, nil
}
