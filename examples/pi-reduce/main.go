// Pi-reduce integrates 4/(1+x*x) from 0 to 1, which is pi: each rank sums up
// its intervals, and Reduce adds the sums of all ranks.
//
//	ameexec -n 4 pi-reduce
//	ameexec -n 4 pi-reduce -ranks 7    as 7 ranks would, on rank 0 alone
//
// The last digits depend on the number of ranks, because the intervals are summed
// up in other groups, and on nothing else. With -ranks rank 0 does serially what
// so many ranks do, in the same order, and comes to the same digits.
package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/dlp-mpi/dlp-go/dlp"
)

const intervals = 10_000_000

func main() {
	ranks := flag.Int("ranks", 0, "do on rank 0 alone what this number of ranks does")
	flag.Parse()
	dlp.Main(func(ctx context.Context, world *dlp.Comm) error { return run(ctx, world, *ranks) })
}

func run(ctx context.Context, world *dlp.Comm, ranks int) error {
	if ranks > 0 {
		if world.IsRoot() {
			fmt.Printf("%.16f\n", serial(0, ranks, ranks))
		}
		return nil
	}
	pi, err := dlp.Reduce(ctx, world, partOf(world.Rank(), world.Size()), dlp.Sum)
	if err != nil {
		return err
	}
	if world.IsRoot() {
		fmt.Printf("%.16f\n", pi)
	}
	return nil
}

// partOf sums up the intervals of a rank, by their midpoints.
func partOf(rank, size int) (sum float64) {
	const width = 1.0 / intervals
	for i := rank * intervals / size; i < (rank+1)*intervals/size; i++ {
		x := (float64(i) + 0.5) * width
		sum += 4 / (1 + x*x) * width
	}
	return sum
}

// serial adds the parts of the ranks from low up to high in the order of Reduce:
// it cuts them at the largest power of two below their number.
func serial(low, high, size int) float64 {
	if high-low == 1 {
		return partOf(low, size)
	}
	power := 1
	for 2*power < high-low {
		power *= 2
	}
	return serial(low, low+power, size) + serial(low+power, high, size)
}
