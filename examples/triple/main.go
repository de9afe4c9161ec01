// Triple is one loop in three forms: serial, shared out by SplitManaged, and as a
// function by MapUnordered. All come to the same.
//
//	ameexec -n 4 triple
package main

import (
	"context"
	"fmt"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() { dlp.Main(run) }

// steps counts how often n is halved, or tripled and one added, until it is 1.
func steps(_ context.Context, n int) (int, error) {
	if n < 1 {
		return 0, fmt.Errorf("%d is not positive", n)
	}
	count := 0
	for ; n != 1; count++ {
		if n%2 == 0 {
			n /= 2
		} else {
			n = 3*n + 1
		}
	}
	return count, nil
}

func run(ctx context.Context, world *dlp.Comm) error {
	var numbers []int
	for n := 1; n <= 1000; n++ {
		numbers = append(numbers, n)
	}
	if world.IsRoot() {
		total := 0
		for _, n := range numbers {
			count, err := steps(ctx, n)
			if err != nil {
				return err
			}
			total += count
		}
		fmt.Println("serial:", total)
	}

	// Each rank gets its share, item by item as it gets free, and keeps what
	// it has found; Reduce puts it together.
	mine := 0
	for n, err := range dlp.SplitManaged(ctx, world, numbers) {
		if err != nil {
			return err
		}
		count, err := steps(ctx, n)
		if err != nil {
			return err
		}
		mine += count
	}
	total, err := dlp.Reduce(ctx, world, mine, dlp.Sum)
	if err != nil {
		return err
	}
	if world.IsRoot() {
		fmt.Println("split:", total)
	}

	// The others compute, and rank 0 gets the results as they come.
	total = 0
	for r, err := range dlp.MapUnordered(ctx, world, numbers, steps) {
		if err != nil {
			return err
		}
		total += r.Value
	}
	if world.IsRoot() {
		fmt.Println("map:", total)
	}
	return nil
}
