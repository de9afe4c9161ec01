// Pi-sendrecv integrates 4/(1+x*x) from 0 to 1, which is pi, on all ranks. The
// ranks send what they have summed up to rank 0.
//
//	ameexec -n 4 pi-sendrecv
//
// The intervals are summed up in blocks, and the blocks in one order: the
// digits are the same with any number of ranks.
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
	begin, end := share(world)
	var own []float64
	for block := begin; block < end; block++ {
		own = append(own, integrate(block*perBlock, (block+1)*perBlock))
	}
	if world.Rank() > 0 {
		return dlp.Send(ctx, world, own, 0, 0)
	}

	var pi float64
	for rank := range world.Size() {
		sums := own
		if rank > 0 {
			var err error
			if sums, _, err = dlp.Recv[[]float64](ctx, world, rank, 0); err != nil {
				return err
			}
		}
		for _, s := range sums {
			pi += s
		}
	}
	fmt.Printf("%.16f\n", pi)
	return nil
}

// share returns the blocks of this rank.
func share(world *dlp.Comm) (begin, end int) {
	rank := world.Rank()
	return rank * blocks / world.Size(), (rank + 1) * blocks / world.Size()
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
