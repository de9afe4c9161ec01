// Shrink computes the squares of a hundred numbers, each on one rank, and keeps
// them where they were computed until all are there. A rank that is lost takes
// what it had with it: the others go on without it and compute that again.
//
//	ameexec --continue -n 4 shrink           # kill a rank meanwhile
//	ameexec --continue -n 4 shrink --lose 2  # rank 2 kills itself half-way
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

const numbers = 100

func main() {
	lose := flag.Int("lose", -1, "the rank that kills itself half-way")
	flag.Parse()
	dlp.Main(func(ctx context.Context, world *dlp.Comm) error {
		return run(ctx, world, *lose == world.Rank())
	})
}

func run(ctx context.Context, world *dlp.Comm, dies bool) error {
	mine := map[int]int{} // squares that this rank has computed
	for comm := world; ; {
		all, err := round(ctx, comm, mine, dies)
		switch {
		case err == nil && all != nil:
			return report(comm, all)
		case errors.Is(err, dlp.ErrLost):
			comm, err = comm.Shrink(ctx)
			if errors.Is(err, dlp.ErrLeft) {
				return nil // rank 0 had all squares, and did not need to hear of the loss
			}
		}
		if err != nil {
			return err
		}
	}
}

// round computes what none of the ranks of comm has, and returns nil; or all
// squares, on rank 0, if nothing is missing.
func round(ctx context.Context, comm *dlp.Comm, mine map[int]int, dies bool) (map[int]int, error) {
	parts, err := dlp.Gather(ctx, comm, mine)
	if err != nil {
		return nil, err
	}
	all := map[int]int{}
	for _, part := range parts {
		for n, square := range part {
			all[n] = square
		}
	}
	var missing []int
	for n := range numbers {
		if _, ok := all[n]; !ok {
			missing = append(missing, n)
		}
	}
	if missing, err = dlp.Bcast(ctx, comm, missing); err != nil || len(missing) == 0 {
		return all, err
	}
	for n, err := range dlp.SplitManaged(ctx, comm, missing) {
		if err != nil {
			return nil, err
		}
		time.Sleep(10 * time.Millisecond) // hard work
		mine[n] = n * n
		if dies && len(mine) == numbers/10 {
			kill()
		}
	}
	return nil, nil
}

// kill ends this process as if it had run out of memory.
func kill() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	panic(fmt.Sprint("still here: ", err))
}

func report(comm *dlp.Comm, all map[int]int) error {
	if !comm.IsRoot() {
		return nil
	}
	sum := 0
	for _, square := range all {
		sum += square
	}
	fmt.Printf("%d squares, their sum is %d\n", len(all), sum)
	return nil
}
