// Bcast gives all ranks an array that rank 0 has: into slices that they have
// made before, and as a value of any type. Each checks what has come, and rank 0
// says how many have it.
//
//	ameexec -n 4 bcast
package main

import (
	"context"
	"fmt"

	"github.com/dlp-mpi/dlp-go/dlp"
)

const n = 1_000_000

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	array := make([]float64, n)
	var title map[string]int
	if world.IsRoot() {
		for i := range array {
			array[i] = float64(i)
		}
		title = map[string]int{"numbers": n}
	}

	// All ranks know the length: nothing is encoded.
	if err := dlp.BcastInto(ctx, world, array); err != nil {
		return err
	}
	// Only rank 0 knows what is in it.
	title, err := dlp.Bcast(ctx, world, title)
	if err != nil {
		return err
	}

	var sum float64
	for _, x := range array {
		sum += x
	}
	right := title["numbers"] == n && sum == n*(n-1)/2
	all, err := dlp.Reduce(ctx, world, right, dlp.And)
	if err != nil {
		return err
	}
	if world.IsRoot() {
		fmt.Println("all ranks have the array:", all)
	}
	return nil
}
