package dlp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// run makes the calls of the script.
func (p *script) run(ctx context.Context, steps int) error {
	names := make([]string, 0, len(calls))
	for name := range calls {
		names = append(names, name)
	}
	slices.Sort(names)
	p.comms = []*Comm{p.world}
	for p.step = range steps {
		which, name := p.IntN(len(p.comms)), names[p.IntN(len(names))]
		c, root := p.comms[which], p.Uint32()
		n := []int{0, 1, 2, 7, 64, 300, 1000, 2, 3, 4, 5, 40_000}[p.IntN(12)]
		color, dup := 2+p.IntN(3), p.IntN(4) == 0
		var err error
		switch {
		case p.step%20 == 19: // all ranks are in it
			var made *Comm
			if dup {
				made, err = p.world.Dup(ctx)
			} else {
				made, err = p.world.Split(ctx, p.world.Rank()%color-1, p.world.Rank()*int(root%7))
			}
			name, p.comms = "split", append(p.comms, made)
		case c != nil:
			err = calls[name](ctx, p, c, int(root)%c.Size(), n)
		}
		if err != nil {
			return fmt.Errorf("step %d, %s: %w", p.step, name, err)
		}
	}
	return p.world.Barrier(ctx)
}

func runScript(ctx context.Context, world *Comm, seed uint64) error {
	p := &script{Rand: rand.New(rand.NewPCG(seed, 0)), world: world}
	if err := p.run(ctx, 100); err != nil {
		return fmt.Errorf("seed %d: %w", seed, err)
	}
	return nil
}

// Random scripts get what a model of one process says, to the last bit.
func TestRandomScripts(t *testing.T) {
	for _, size := range []int{2, 5, 17} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			seed := rand.Uint64()
			errs := eachRank(t, size, false, func(ctx context.Context, c *Comm) error {
				err := runScript(ctx, c, seed)
				if err != nil {
					c.Abort(err)
				}
				return err
			})
			require.NoError(t, errors.Join(errs...))
		})
	}
}

// Each call alone, with every number of ranks from 1 to 17.
func TestEachCollectiveAgainstAModel(t *testing.T) {
	for size := 1; size <= 17; size++ {
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			p := &script{world: c, step: size}
			names := make([]string, 0, len(calls))
			for name := range calls {
				names = append(names, name)
			}
			slices.Sort(names)
			for i, name := range names {
				root := i % size
				if err := calls[name](ctx, p, c, root, []int{0, 1, 3, 100}[(i+size)%4]); err != nil {
					return fmt.Errorf("%s with root %d of %d: %w", name, root, size, err)
				}
			}
			return nil
		})
		require.NoError(t, errors.Join(errs...))
	}
}
