package ame

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who waits on a communicator for a rank that has closed it, or closes it then,
// gets an error that names both.
func TestClosedByAnotherRank(t *testing.T) {
	const size = 4
	for name, wait := range map[string]func(ctx context.Context, c *Comm, who int) error{
		"barrier": func(ctx context.Context, c *Comm, _ int) error { return c.Barrier(ctx) },
		"gather": func(ctx context.Context, c *Comm, _ int) error {
			_, err := c.Allgather(ctx, Call{}, Payload{})
			return err
		},
		"recv": func(ctx context.Context, c *Comm, who int) error { _, err := c.Recv(ctx, who, 1); return err },
	} {
		for _, who := range []int{0, 2} {
			for _, when := range []time.Duration{0, time.Minute} {
				for _, by := range []string{"messages", "memory"} {
					t.Run(fmt.Sprintf("%s/rank %d/%v/%s", name, who, when, by), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							comms := connectAll(t, overMemory, size)
							dups := make([]*Comm, size)
							noErrors(t, each(comms, func(c *Comm) (err error) {
								d, err := c.Dup(t.Context())
								dups[c.Rank()] = d
								if err == nil && by == "memory" {
									err = d.Barrier(t.Context())
								}
								return err
							}))
							begin := time.Now()
							errs := each(dups, func(c *Comm) error {
								if c.Rank() == who {
									time.Sleep(when)
									return c.Close()
								}
								return wait(t.Context(), c, who)
							})
							assert.LessOrEqual(t, time.Since(begin), when+time.Second)
							for rank, err := range errs {
								if rank == who {
									assert.NoError(t, err)
									continue
								}
								require.ErrorContains(t, err, "has closed its communicator")
								assert.ErrorContains(t, err, fmt.Sprintf("rank %d on ", who))
								if name == "barrier" || name == "gather" {
									assert.ErrorContains(t, err, "(closed_test.go:")
								} else {
									assert.ErrorIs(t, err, ErrLeft)
									assert.Nil(t, comms[rank].job.failure())
								}
							}
						})
					})
				}
			}
		}
	}
}

// What a rank has sent before it closed a communicator is received.
func TestSentBeforeClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		dups := make([]*Comm, 3)
		noErrors(t, each(comms, func(c *Comm) (err error) { dups[c.Rank()], err = c.Dup(t.Context()); return err }))
		got := make(chan error)
		go func() {
			_, err := dups[1].Recv(t.Context(), 2, 7)
			got <- err
		}()
		time.Sleep(time.Minute)
		require.NoError(t, dups[2].Send(t.Context(), 1, 1, Payload{Body: make([]byte, 3*chunk)}))
		require.NoError(t, dups[2].Close())
		assert.ErrorIs(t, <-got, ErrLeft)
		m, err := dups[1].Recv(t.Context(), 2, 1)
		require.NoError(t, err)
		assert.Len(t, m.Body, 3*chunk)
		require.NoError(t, dups[0].Send(t.Context(), 1, 1, text("goes on")))
		_, err = dups[1].Recv(t.Context(), AnySource, 1)
		assert.NoError(t, err)
	})
}

// What is sent to a rank that has closed the communicator is not dropped in
// silence: later Sends fail, and so does Close.
func TestSendToOneThatHasClosed(t *testing.T) {
	for _, who := range []int{0, 2} {
		t.Run(fmt.Sprint("rank ", who), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				comms := connectAll(t, overMemory, 3)
				dups := make([]*Comm, 3)
				noErrors(t, each(comms, func(c *Comm) (err error) {
					dups[c.Rank()], err = c.Dup(t.Context())
					return err
				}))
				require.NoError(t, dups[who].Close())
				require.NoError(t, dups[1].Send(t.Context(), who, 1, text("lost")))
				time.Sleep(time.Second) // until that is known
				err := dups[1].Send(t.Context(), who, 1, text("late"))
				assert.ErrorIs(t, err, ErrLeft)
				assert.ErrorContains(t, err, "has closed its communicator")
				assert.NoError(t, dups[1].Send(t.Context(), 2-who, 1, text("fine")))
				err = dups[1].Close()
				assert.ErrorContains(t, err, fmt.Sprintf("rank %d on ", who))
				assert.ErrorContains(t, err, "dropped a message that this rank had sent")
				assert.NoError(t, dups[1].Close())
				assert.NoError(t, dups[2-who].Close())
				noErrors(t, each(comms, (*Comm).Close))
			})
		})
	}
}
