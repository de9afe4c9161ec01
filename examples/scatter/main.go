// Scatter shares out an array of eleven numbers, which no number of ranks but 1
// and 11 divides. Each rank squares its part, and rank 0 puts the parts together.
//
//	ameexec -n 4 scatter
package main

import (
	"context"
	"fmt"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	var array []float64
	if world.IsRoot() {
		for i := range 11 {
			array = append(array, float64(i))
		}
	}
	// Without counts the parts are as equal as they can be.
	part, err := dlp.Scatterv(ctx, world, array, nil)
	if err != nil {
		return err
	}
	squares := make([]float64, len(part))
	for i, x := range part {
		squares[i] = x * x
	}
	all, err := dlp.Gatherv(ctx, world, squares)
	if err != nil {
		return err
	}
	if world.IsRoot() {
		fmt.Println("squares:", all)
	}
	return nil
}
