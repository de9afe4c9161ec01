// Pt2pt sends two values from rank 0, numbers to rank 1 and a table to rank 2.
// Tags tell the receiver what it gets.
//
//	ameexec -n 3 pt2pt
//
// With fewer ranks the two go to those that there are; a rank may send to
// itself.
package main

import (
	"context"
	"fmt"

	"github.com/dlp-mpi/dlp-go/dlp"
)

const (
	tagNumbers = 11
	tagTable   = 12
)

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	first, second := 1%world.Size(), 2%world.Size()
	if world.Rank() == 0 {
		if err := dlp.Send(ctx, world, []float64{1, 2.5, 4}, first, tagNumbers); err != nil {
			return err
		}
		if err := dlp.Send(ctx, world, map[string]int{"one": 1, "two": 2}, second, tagTable); err != nil {
			return err
		}
	}
	if world.Rank() == first {
		numbers, _, err := dlp.Recv[[]float64](ctx, world, 0, tagNumbers)
		if err != nil {
			return err
		}
		fmt.Println("numbers:", numbers)
	}
	if world.Rank() == second {
		table, status, err := dlp.Recv[map[string]int](ctx, world, dlp.AnySource, dlp.AnyTag)
		if err != nil {
			return err
		}
		fmt.Printf("table: %v, from rank %d with tag %d\n", table, status.Source, status.Tag)
	}
	return nil
}
