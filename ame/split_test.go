package ame

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Ranks of one color are a communicator, in the order of their keys, and so are
// some of them again, without rank 0 of the job. Messages, collectives and
// errors go by the numbers and groups of each.
func TestSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 7)
		noErrors(t, each(comms, func(world *Comm) error {
			color := world.Rank() % 2
			if world.Rank() == 6 {
				color = -1
			}
			some, err := world.Split(t.Context(), color, -world.Rank()) // 4 2 0 and 5 3 1
			if err != nil || color < 0 {
				assert.Nil(t, some)
				return err
			}
			want := []int{2 - world.Rank()/2, 3}
			assert.Equal(t, want, []int{some.Rank(), some.Size()}, "rank %d", world.Rank())
			if err := meetIn(t.Context(), some); err != nil {
				return err
			}
			pair, err := some.Split(t.Context(), min(some.Rank(), 1), 0) // 4 and 5 alone; 2 0 and 3 1
			if err != nil {
				return err
			}
			again, err := pair.Dup(t.Context())
			if err != nil {
				return err
			}
			require.NoError(t, pair.Close())
			return meetIn(t.Context(), again)
		}))
	})
}

// meetIn sends around a ring of c, gathers on its last rank, and meets there.
func meetIn(ctx context.Context, c *Comm) error {
	next, before := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	if err := c.Send(ctx, next, 1, text(fmt.Sprint(c.Rank()))); err != nil {
		return err
	}
	m, err := c.Recv(ctx, AnySource, 1)
	if err != nil {
		return err
	}
	if m.Source != before || string(m.Body) != fmt.Sprint(before) {
		return fmt.Errorf("rank %d of %d got %q of %d", c.Rank(), c.Size(), m.Body, m.Source)
	}
	all, err := c.Gather(ctx, Call{Root: c.Size() - 1}, text(fmt.Sprint(c.Rank())))
	if err != nil {
		return err
	}
	for number, p := range all {
		if string(p.Body) != fmt.Sprint(number) {
			return fmt.Errorf("gathered %q of rank %d", p.Body, number)
		}
	}
	return c.Barrier(ctx)
}

// A lost rank ends the calls of the communicators that it is in. Those of others
// go on, also that of ranks which rank 0 is not in.
func TestLossAndOtherCommunicators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overPairPipes, 6)
		var split sync.WaitGroup
		split.Add(len(comms))
		noErrors(t, each(comms, func(world *Comm) error {
			some, err := world.Split(t.Context(), world.Rank()%2, 0)
			split.Done()
			if err != nil {
				return err
			}
			split.Wait()
			if world.Rank() == 4 {
				kill(world)
				return nil
			}
			if _, err := world.Recv(t.Context(), 4, 1); !errors.Is(err, ErrLost) {
				return fmt.Errorf("world: %w", err)
			}
			err = meetIn(t.Context(), some)
			if world.Rank()%2 == 0 && !errors.Is(err, ErrLost) {
				return fmt.Errorf("with rank 4: %w", err)
			}
			if world.Rank()%2 == 1 && err != nil {
				return fmt.Errorf("without rank 4: %w", err)
			}
			time.Sleep(time.Second)
			return nil
		}))
	})
}
