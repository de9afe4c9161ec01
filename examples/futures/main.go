// Futures factors numbers. Rank 0 submits a task for each, which finds the
// smallest factor, and takes what comes first; what is left of a number is a task
// again. A number that has no factors is an error of its task, and of no other.
//
//	ameexec -n 4 futures
package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/dlp-mpi/dlp-go/dlp"
)

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	// Functions do not travel: all ranks make them, under the same names.
	smallest := dlp.NewFunc("smallest factor", smallestFactor)
	body := func(ctx context.Context, ex *dlp.Executor) error { return factorAll(ctx, ex, smallest) }
	return dlp.Execute(ctx, world, body, smallest) // body runs on rank 0 alone
}

// part is a number that is being factored: factors are those found so far, and
// rest is what they leave of it.
type part struct {
	number, rest int
	factors      []string
}

func factorAll(ctx context.Context, ex *dlp.Executor, smallest *dlp.Func[int, int]) error {
	parts := map[*dlp.Future[int]]*part{}
	var futures []*dlp.Future[int]
	submit := func(p *part) {
		future := smallest.Submit(ex, p.rest)
		parts[future] = p
		futures = append(futures, future)
	}
	for _, number := range []int{360, 1, 1_000_003, 123_456_789, 97} {
		submit(&part{number: number, rest: number})
	}
	for len(futures) > 0 {
		round := futures
		futures = nil
		for future, err := range dlp.AsCompleted(ctx, round...) {
			if err != nil {
				return err
			}
			p := parts[future]
			factor, err := future.Result(ctx)
			if err != nil {
				fmt.Printf("%d: an error\n", p.number) // err also says which rank has tried
				continue
			}
			p.factors = append(p.factors, fmt.Sprint(factor))
			if p.rest /= factor; p.rest > 1 {
				submit(p)
				continue
			}
			fmt.Printf("%d = %s\n", p.number, strings.Join(p.factors, " * "))
		}
	}
	return nil
}

func smallestFactor(_ context.Context, n int) (int, error) {
	if n < 2 {
		return 0, fmt.Errorf("%d has no prime factors", n)
	}
	for factor := 2; factor*factor <= n; factor++ {
		if n%factor == 0 {
			return factor, nil
		}
	}
	return n, nil
}
