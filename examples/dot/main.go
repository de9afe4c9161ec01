// Dot multiplies two vectors that rank 0 has: it shares them out, each rank
// multiplies its parts, and the sums come together on rank 0, once by Reduce and
// once by Gather.
//
//	ameexec -n 4 dot
//
// The numbers are whole, so the sums are exact and the same on any number of
// ranks.
package main

import (
	"context"
	"fmt"

	"github.com/dlp-mpi/dlp-go/dlp"
)

const n = 100_001

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	var x, y []float64
	if world.IsRoot() {
		for i := range n {
			x = append(x, float64(i%1000))
			y = append(y, float64(i%7-3))
		}
	}
	x, err := dlp.Scatterv(ctx, world, x, nil)
	if err != nil {
		return err
	}
	y, err = dlp.Scatterv(ctx, world, y, nil)
	if err != nil {
		return err
	}
	var own float64
	for i := range x {
		own += x[i] * y[i]
	}

	sum, err := dlp.Reduce(ctx, world, own, dlp.Sum)
	if err != nil {
		return err
	}
	parts, err := dlp.Gather(ctx, world, own)
	if err != nil || !world.IsRoot() {
		return err
	}
	var gathered float64
	for _, part := range parts {
		gathered += part
	}
	fmt.Println("by reduce:", sum)
	fmt.Println("by gather:", gathered)
	return nil
}
