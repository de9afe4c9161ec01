package ame

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tolerantDups are tolerant communicators of the same ranks.
func tolerantDups(t *testing.T, comms []*Comm) []*Comm {
	dups := make([]*Comm, len(comms))
	noErrors(t, each(comms, func(c *Comm) (err error) {
		dups[c.Rank()], err = c.DupTolerant(t.Context())
		return err
	}))
	return dups
}

// On a tolerant communicator the messages of the others go on, and only what
// needs the lost rank ends.
func TestTolerantMessages(t *testing.T) {
	for name, by := range transports {
		t.Run(name, func(t *testing.T) {
			comms := connectAll(t, by, 4)
			dups := tolerantDups(t, comms)
			noErrors(t, each(dups, func(c *Comm) error {
				if c.Rank() == 2 {
					kill(c)
					return nil
				}
				ctx := t.Context()
				if _, err := c.Recv(ctx, 2, 1); !errors.Is(err, ErrLost) {
					return fmt.Errorf("recv from the lost rank: %w", err)
				}
				if err := c.Send(ctx, 2, 1, text("too late")); !errors.Is(err, ErrLost) {
					return fmt.Errorf("send to the lost rank: %w", err)
				}
				for _, other := range []int{0, 1, 3} {
					if err := c.Send(ctx, other, 1, Payload{Body: make([]byte, 3*chunk)}); err != nil {
						return err
					}
				}
				for range 3 {
					if _, err := c.Recv(ctx, AnySource, 1); err != nil {
						return err
					}
				}
				if err := c.Barrier(ctx); !errors.Is(err, ErrLost) {
					return fmt.Errorf("barrier: %w", err)
				}
				return c.Send(ctx, (c.Rank()+1)%2, 2, text("after the barrier"))
			}))
			for _, c := range dups[:2] {
				_, err := c.Recv(t.Context(), 1-c.Rank(), 2)
				assert.NoError(t, err, "a failed collective does not end the job")
				assert.Equal(t, []int{2}, c.Lost())
				assert.Equal(t, []int{2}, c.AwaitLost(t.Context(), 0))
				assert.NoError(t, c.LossOf(1))
				assert.ErrorContains(t, c.LossOf(2), "rank 2 on nodec: lost: ")
				assert.ErrorIs(t, comms[c.Rank()].Barrier(t.Context()), ErrLost, "of the job's communicator")
			}
			closeAll(comms)
		})
	}
}

func TestCloseDoesNotWaitForTheLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 4)
		dups := tolerantDups(t, comms)
		kill(comms[2])
		assert.Equal(t, []int{2}, dups[0].AwaitLost(t.Context(), 0))
		begin := time.Now()
		closeAll(comms)
		assert.Less(t, time.Since(begin), closeTimeout)
	})
}

// Every collective ends on all ranks that are in it, with the loss, whatever
// they wait for, and the job goes on.
func TestTolerantCollectives(t *testing.T) {
	for name, call := range collectives {
		for _, victim := range []int{1, 3} {
			meetings(t, fmt.Sprintf("%s/rank %d", name, victim), func(t *testing.T, meet meeting) {
				synctest.Test(t, func(t *testing.T) {
					comms := connectAll(t, overMemory, 4)
					dups := tolerantDups(t, comms)
					meet(t, dups)
					noErrors(t, each(dups, func(c *Comm) error {
						if c.Rank() == victim {
							time.Sleep(time.Second) // so that the others wait
							kill(c)
							return nil
						}
						err := call(t.Context(), c)
						for err == nil { // it may have ended here before the loss
							err = c.Barrier(t.Context())
						}
						if !errors.Is(err, ErrLost) {
							return err
						}
						return comms[c.Rank()].job.failureOrNil()
					}))
				})
			})
		}
	}
}

// failureOrNil is why no call works, nil if calls do.
func (j *job) failureOrNil() error {
	if f := j.failure(); f != nil {
		return f
	}
	return nil
}

// Ranks that want different things of a loss get an error on all of them.
func TestDupsOfDifferentPolicies(t *testing.T) {
	comms := connectAll(t, overMemory, 3)
	errs := each(comms, func(c *Comm) error {
		dup := c.Dup
		if c.Rank() == 2 {
			dup = c.DupTolerant
		}
		d, err := dup(t.Context())
		if err == nil {
			_, err = d.Recv(t.Context(), AnySource, 1)
		}
		return err
	})
	for rank, err := range errs {
		assert.ErrorIs(t, err, ErrMismatch, "rank %d", rank)
		assert.ErrorContains(t, err, "tolerant dup", "rank %d", rank)
	}
}

// The loss of rank 0 ends the job, and is known as such.
func TestTolerantWithoutRootIsOver(t *testing.T) {
	comms := connectAll(t, overMemory, 3)
	dups := tolerantDups(t, comms)
	errs := each(dups, func(c *Comm) error {
		if c.Rank() == 0 {
			kill(c)
			return nil
		}
		_, err := c.Recv(t.Context(), AnySource, 1)
		return err
	})
	for _, c := range dups[1:] {
		require.ErrorIs(t, errs[c.Rank()], ErrLost)
		assert.Equal(t, []int{0}, c.AwaitLost(t.Context(), 0))
		assert.ErrorContains(t, c.LossOf(0), "rank 0 on nodea: lost: ")
	}
}

func TestAwaitLostEndsWithItsContext(t *testing.T) {
	comms := connectAll(t, overMemory, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Empty(t, comms[0].AwaitLost(ctx, 0))
}
