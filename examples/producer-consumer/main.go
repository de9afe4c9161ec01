// Producer-consumer is two programs in one job: rank 0 produces tasks, and the
// other ranks ask it for them, do them and send back what comes out.
//
//	ameexec -n 1 producer-consumer produce : -n 3 producer-consumer consume
//
// A list that all ranks have is easier with dlp.MapUnordered. This is for tasks
// that only the producer knows, one after the other. Without consumers it does
// them itself.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/dlp-mpi/dlp-go/dlp"
)

const producer = 0

// Tags of the messages to the producer, and from it.
const (
	tagReady  = 1 // "I have nothing to do"
	tagResult = 2
	tagTask   = 3
	tagStop   = 4
)

// task asks for the number of steps that a number takes to 1, by the rule of
// Collatz.
type task struct{ Number int }

type result struct{ Number, Steps int }

func main() {
	dlp.Main(func(ctx context.Context, world *dlp.Comm) error {
		switch role := slices.Concat(os.Args[1:], []string{""})[0]; {
		case role == "produce" && world.Rank() == producer:
			return produce(ctx, world)
		case role == "consume" && world.Rank() != producer:
			return consume(ctx, world)
		default:
			return fmt.Errorf("rank %d is started with %q: rank %d has to produce, all others to consume", world.Rank(), role, producer)
		}
	})
}

func produce(ctx context.Context, world *dlp.Comm) error {
	var results []result
	next := 1
	more := func() bool { return next <= 1000 }
	for ; world.Size() == 1 && more(); next++ {
		results = append(results, do(task{next}))
	}
	for working := world.Size() - 1; working > 0; {
		m, err := dlp.Probe(ctx, world, dlp.AnySource, dlp.AnyTag)
		if err != nil {
			return err
		}
		who := m.Status().Source
		switch {
		case m.Status().Tag == tagResult:
			r, err := dlp.Take[result](m)
			if err != nil {
				return err
			}
			results = append(results, r)
		case more():
			if err := dlp.Send(ctx, world, task{next}, who, tagTask); err != nil {
				return err
			}
			next++
		default:
			if err := dlp.Send(ctx, world, "no more", who, tagStop); err != nil {
				return err
			}
			working--
		}
	}
	best := slices.MaxFunc(results, func(a, b result) int { return a.Steps - b.Steps })
	fmt.Printf("%d results, the longest has %d steps, from %d\n", len(results), best.Steps, best.Number)
	return nil
}

func consume(ctx context.Context, world *dlp.Comm) error {
	for {
		if err := dlp.Send(ctx, world, world.Info().Host, producer, tagReady); err != nil {
			return err
		}
		m, err := dlp.Probe(ctx, world, producer, dlp.AnyTag)
		if err != nil || m.Status().Tag == tagStop {
			return err
		}
		t, err := dlp.Take[task](m)
		if err != nil {
			return err
		}
		if err := dlp.Send(ctx, world, do(t), producer, tagResult); err != nil {
			return err
		}
	}
}

func do(t task) result {
	r := result{Number: t.Number}
	for n := t.Number; n > 1; r.Steps++ {
		if n%2 == 0 {
			n /= 2
		} else {
			n = 3*n + 1
		}
	}
	return r
}
