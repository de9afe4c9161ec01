// Pi-scatter integrates 4/(1+x*x) from 0 to 1, which is pi. Rank 0 shares out
// blocks of intervals, all ranks sum up theirs, and rank 0 adds what they bring.
//
//	ameexec -n 4 pi-scatter
//
// Rank 0 adds the blocks in their order, so the digits are the same with any
// number of ranks.
package main

import (
	"context"
	"fmt"

	"github.com/dlp-mpi/dlp-go/dlp"
)

const (
	blocks    = 1000
	perBlock  = 10_000
	intervals = blocks * perBlock
)

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	var begins []int
	if world.IsRoot() {
		for block := range blocks {
			begins = append(begins, block*perBlock)
		}
	}
	own, err := dlp.Scatterv(ctx, world, begins, nil)
	if err != nil {
		return err
	}
	sums := make([]float64, len(own))
	for i, begin := range own {
		sums[i] = integrate(begin, begin+perBlock)
	}
	all, err := dlp.Gatherv(ctx, world, sums)
	if err != nil || !world.IsRoot() {
		return err
	}
	var pi float64
	for _, s := range all {
		pi += s
	}
	fmt.Printf("%.16f\n", pi)
	return nil
}

// integrate sums up the intervals from begin to end, by their midpoints.
func integrate(begin, end int) (sum float64) {
	const width = 1.0 / intervals
	for i := begin; i < end; i++ {
		x := (float64(i) + 0.5) * width
		sum += 4 / (1 + x*x) * width
	}
	return sum
}
