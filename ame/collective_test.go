package ame

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// collectives by the name that errors call them.
var collectives = map[string]func(ctx context.Context, c *Comm) error{
	"bcast":   func(ctx context.Context, c *Comm) error { _, err := c.Bcast(ctx, Call{}, text("b")); return err },
	"gather":  func(ctx context.Context, c *Comm) error { _, err := c.Gather(ctx, Call{}, text("g")); return err },
	"barrier": func(ctx context.Context, c *Comm) error { return c.Barrier(ctx) },
	"allreduce": func(ctx context.Context, c *Comm) error {
		_, err := c.Allreduce(ctx, Call{}, text("r"), brackets)
		return err
	},
	"alltoall": func(ctx context.Context, c *Comm) error {
		_, err := c.Alltoall(ctx, Call{}, make([]Payload, c.Size()))
		return err
	},
	"dup": func(ctx context.Context, c *Comm) error { _, err := c.Dup(ctx); return err },
}

func TestCollectives(t *testing.T) {
	for name, by := range transports {
		t.Run(name, func(t *testing.T) {
			comms := connectAll(t, by, 5)
			noErrors(t, each(comms, func(c *Comm) error {
				for i := range 50 {
					p, err := c.Bcast(t.Context(), Call{}, Payload{uint16(i + c.Rank()), fmt.Appendf(nil, "%d of %d", i, c.Rank())})
					if err != nil {
						return err
					}
					assert.Equal(t, Payload{uint16(i), fmt.Appendf(nil, "%d of 0", i)}, p)
					all, err := c.Gather(t.Context(), Call{}, Payload{uint16(c.Rank()), p.Body})
					if err != nil {
						return err
					}
					if c.Rank() != 0 {
						assert.Nil(t, all)
						continue
					}
					for rank, got := range all {
						assert.Equal(t, Payload{uint16(rank), p.Body}, got)
					}
				}
				return nil
			}))
		})
	}
}

// Ranks in different collectives get an error that names both, all of them
// and soon: in every pair, whichever rank is the odd one, at once or late.
func TestMismatch(t *testing.T) {
	const size = 4
	for most, common := range collectives {
		for odd, different := range collectives {
			if odd == most {
				continue
			}
			for _, oddRank := range []int{0, 2} {
				for late := range 3 { // nobody, the odd one, or the others
					meetings(t, fmt.Sprintf("%s/rank %d in %s/late %d", most, oddRank, odd, late), func(t *testing.T, meet meeting) {
						synctest.Test(t, func(t *testing.T) {
							comms := connectAll(t, overMemory, size)
							meet(t, comms)
							begin := time.Now()
							errs := each(comms, func(c *Comm) error {
								call := common
								if c.Rank() == oddRank {
									call = different
								}
								if late == 1 && c.Rank() == oddRank || late == 2 && c.Rank() != oddRank {
									time.Sleep(3 * time.Second)
								}
								if err := call(t.Context(), c); err != nil {
									return err
								}
								// What does not wait may have returned before
								// it could know.
								_, err := c.Recv(t.Context(), AnySource, AnyTag)
								return err
							})
							for rank, err := range errs {
								assert.ErrorIs(t, err, ErrMismatch, "rank %d", rank)
								assert.Regexp(t, fmt.Sprintf("rank %d (is )?in %s", oddRank, odd), err, "rank %d", rank)
								assert.Regexp(t, "rank . (is )?in "+most, err, "rank %d", rank)
								assert.ErrorContains(t, err, "collective 2 of communicator 0", "rank %d", rank)
							}
							assert.Less(t, time.Since(begin), 5*time.Second)
						})
					})
				}
			}
		}
	}
}

// A rank that goes far ahead in collectives that do not wait is no mismatch.
func TestFarAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		noErrors(t, each(comms, func(c *Comm) error {
			for _, name := range []string{"bcast", "gather", "bcast"} {
				for range 100 {
					if err := collectives[name](t.Context(), c); err != nil {
						return err
					}
				}
				if c.Rank() == 2 || name == "gather" {
					time.Sleep(time.Second) // long enough for the others to announce that they wait
				}
			}
			return c.Barrier(t.Context())
		}))
	})
}
