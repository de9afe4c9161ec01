package ame

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// faults are what befalls one rank in the middle of a random job; a crash ends
// its own calls, too.
var faults = map[string]func(c *Comm, cancel func()){
	"none":   func(*Comm, func()) {},
	"crash":  func(c *Comm, cancel func()) { kill(c); cancel() },
	"close":  func(c *Comm, _ func()) { c.Close() },
	"abort":  func(c *Comm, _ func()) { c.Abort(errors.New("enough")) },
	"cancel": func(_ *Comm, cancel func()) { cancel() },
}

// Jobs of random calls end on all ranks: without an error if nothing befalls
// them, and else without a rank that waits for ever.
func TestRandomJobs(t *testing.T) {
	for name, fault := range faults {
		for transportName, by := range transports {
			t.Run(name+"/"+transportName, func(t *testing.T) {
				t.Parallel()
				for range 15 {
					seed := rand.Uint64()
					comms := connectAll(t, by, 2+int(seed%3))
					victim, after := int(seed>>8)%len(comms), time.Duration(seed>>16%3000)*time.Microsecond
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					errs := each(comms, func(c *Comm) error {
						ctx, stop := context.WithCancel(ctx)
						defer stop()
						if c.Rank() == victim {
							struck := time.AfterFunc(after, func() { fault(c, stop) })
							defer struck.Stop()
						}
						return errors.Join(randomCalls(ctx, c, seed), c.Close())
					})
					require.NoError(t, ctx.Err(), "seed %d: %v", seed, errs)
					cancel()
					if name == "none" {
						require.NoError(t, errors.Join(errs...), "seed %d", seed)
					}
				}
			})
		}
	}
}

// randomCalls makes calls that are the same on all ranks but for pauses.
func randomCalls(ctx context.Context, world *Comm, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 0))
	comms := []*Comm{world}
	for range 60 {
		c := comms[r.IntN(len(comms))]
		from, to := r.IntN(c.Size()), r.IntN(c.Size())
		var err error
		switch r.IntN(9) {
		case 0:
			_, err = c.Bcast(ctx, Call{}, text("b"))
		case 1:
			_, err = c.Gather(ctx, Call{}, text("g"))
		case 2:
			if len(comms) < 4 {
				var dup *Comm
				dup, err = c.Dup(ctx)
				comms = append(comms, dup)
			}
		case 3:
			if c.Rank() == from {
				err = c.Send(ctx, to, 1, text("m"))
			}
			if c.Rank() == to && err == nil {
				_, err = c.Recv(ctx, from, 1)
			}
		default:
			if rand.IntN(20) == 0 {
				time.Sleep(rand.N(300 * time.Microsecond))
			}
			err = c.Barrier(ctx)
		}
		if err != nil {
			return fmt.Errorf("rank %d: %w", c.Rank(), err)
		}
	}
	return world.Barrier(ctx)
}
