// Exchange lets ranks 0 and 1 send each other a megabyte each, while both of
// them compute.
//
//	ameexec -n 2 exchange
//
// Alone, rank 0 sends to itself; further ranks do nothing.
package main

import (
	"context"
	"fmt"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	if world.Rank() > 1 {
		return nil
	}
	other := (1 - world.Rank()) % world.Size()
	mine := make([]int64, 128<<10)
	for i := range mine {
		mine[i] = int64(world.Rank()*len(mine) + i)
	}

	var theirs []int64
	receive := dlp.Irecv(world, &theirs, other, 0) // theirs is not touched before WaitAll
	send := dlp.Isend(world, mine, other, 0)       // nor is mine changed
	own := sum(mine)
	if _, err := dlp.WaitAll(ctx, receive, send); err != nil {
		return err
	}
	fmt.Printf("rank %d has %d and got %d\n", world.Rank(), own, sum(theirs))
	return nil
}

func sum(numbers []int64) (total int64) {
	for _, n := range numbers {
		total += n
	}
	return total
}
