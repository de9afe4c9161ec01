package ame

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// works uses a communicator in every way, and returns its job ranks in order.
func works(ctx context.Context, c *Comm) ([]int, error) {
	if err := c.Barrier(ctx); err != nil {
		return nil, err
	}
	all, err := c.Gather(ctx, Call{Root: c.Size() - 1}, text(fmt.Sprint(c.Rank())))
	if err != nil {
		return nil, err
	}
	for rank, p := range all {
		if string(p.Body) != fmt.Sprint(rank) {
			return nil, fmt.Errorf("rank %d sent %q", rank, p.Body)
		}
	}
	next, before := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	if err := c.Send(ctx, next, 1, text("message")); err != nil {
		return nil, err
	}
	if _, err := c.Recv(ctx, before, 1); err != nil {
		return nil, err
	}
	half, err := c.Split(ctx, c.Rank()%2, 0)
	if err != nil {
		return nil, err
	}
	if err := half.Barrier(ctx); err != nil {
		return nil, err
	}
	var ranks []int
	for rank := range c.Size() {
		ranks = append(ranks, c.JobRank(rank))
	}
	return ranks, c.Barrier(ctx)
}

// shrinkAll lets ranks shrink their communicators and use what is left, which
// must be that of the given ranks of the job.
func shrinkAll(t *testing.T, comms []*Comm, want ...int) []*Comm {
	t.Helper()
	smaller := make([]*Comm, len(comms))
	errs := each(comms, func(c *Comm) error {
		i := slices.Index(comms, c)
		var err error
		if smaller[i], err = c.Shrink(t.Context()); err != nil {
			return err
		}
		ranks, err := works(t.Context(), smaller[i])
		if err == nil && !slices.Equal(ranks, want) {
			err = fmt.Errorf("has ranks %v", ranks)
		}
		return err
	})
	noErrors(t, errs)
	return smaller
}

func TestShrink(t *testing.T) {
	for name, by := range map[string]transport{"memory": overMemory, "pairs": overPairs} {
		t.Run(name, func(t *testing.T) {
			comms := connectAll(t, by, 6)
			kill(comms[2])
			left := []*Comm{comms[0], comms[1], comms[3], comms[4], comms[5]}
			for _, err := range each(left, func(c *Comm) error { return c.Barrier(t.Context()) }) {
				assert.ErrorIs(t, err, ErrLost)
			}
			left = shrinkAll(t, left, 0, 1, 3, 4, 5)
			assert.Equal(t, 2, left[2].Rank())

			kill(left[1])
			left = slices.Delete(left, 1, 2)
			left = shrinkAll(t, left, 0, 3, 4, 5)
			assert.Empty(t, left[0].Lost())
			assert.Equal(t, []int{1, 2}, comms[0].Lost())
		})
	}
}

// Of a communicator without rank 0 of the job, too, the ranks that are left go on.
func TestShrinkOfSome(t *testing.T) {
	comms := connectAll(t, overMemory, 6)
	parts := make([]*Comm, 6)
	noErrors(t, each(comms, func(c *Comm) (err error) {
		parts[c.Rank()], err = c.Split(t.Context(), c.Rank()%2, -c.Rank())
		return err
	}))
	kill(comms[3])
	shrinkAll(t, []*Comm{parts[1], parts[5]}, 5, 1)
	ranks := make([][]int, 6)
	noErrors(t, each([]*Comm{parts[0], parts[2], parts[4]}, func(c *Comm) (err error) {
		ranks[c.Rank()], err = works(t.Context(), c)
		return err
	}))
	assert.Equal(t, []int{4, 2, 0}, ranks[0], "who has lost nobody goes on as before")
}

// The first Shrink ends what others wait for, also where nobody is lost.
func TestShrinkRevokes(t *testing.T) {
	for name, wait := range waits {
		if name == "sends" || name == "recv from itself" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				comms := connectAll(t, overMemory, 4)
				ended := make(chan error, 3)
				smaller := make([]*Comm, 4)
				noErrors(t, each(comms, func(c *Comm) (err error) {
					if c.Rank() == 3 {
						time.Sleep(time.Minute)
					} else {
						beside := make(chan error, 1)
						go func() { beside <- c.Beside().Barrier(t.Context()) }()
						ended <- wait(t.Context(), c, 3)
						assert.ErrorIs(t, c.Barrier(t.Context()), ErrLost, "a later call")
						assert.ErrorIs(t, <-beside, ErrLost)
						_, err := c.Split(t.Context(), 0, 0)
						assert.ErrorIs(t, err, ErrLost)
						assert.ErrorIs(t, c.Send(t.Context(), 3, 1, text("m")), ErrLost)
					}
					smaller[c.Rank()], err = c.Shrink(t.Context())
					return err
				}))
				for range 3 {
					err := <-ended
					assert.ErrorIs(t, err, ErrLost)
					assert.ErrorContains(t, err, "rank 3 has given this communicator up (Shrink)")
				}
				noErrors(t, each(smaller, func(c *Comm) error { _, err := works(t.Context(), c); return err }))
				noErrors(t, each(comms, func(c *Comm) error { return c.Close() }))
			})
		})
	}
}

// Ranks that are lost, leave, or close the communicator while others shrink it
// take no part.
func TestShrinkWithoutThoseWhoGo(t *testing.T) {
	for name, goes := range map[string]func(world, c *Comm){
		"lost":                  func(world, _ *Comm) { kill(world) },
		"leaves":                func(world, _ *Comm) { world.Close() },
		"closes":                func(_, c *Comm) { c.Close() },
		"closes, once it knows": func(_, c *Comm) { c.Recv(context.Background(), 0, 1); c.Close() },
	} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprint(name, early), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					comms := connectAll(t, overMemory, 4)
					dups := make([]*Comm, 4)
					noErrors(t, each(comms, func(c *Comm) (err error) { dups[c.Rank()], err = c.Dup(t.Context()); return err }))
					var wg sync.WaitGroup
					wg.Go(func() {
						if !early {
							time.Sleep(time.Minute)
						}
						goes(comms[2], dups[2])
					})
					if early {
						time.Sleep(time.Second)
					}
					shrinkAll(t, []*Comm{dups[0], dups[1], dups[3]}, 0, 1, 3)
					wg.Wait()
				})
			})
		}
	}
}

// Who never comes to a Shrink is named, and the end of ctx ends the job.
func TestShrinkWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		comms := connectAll(t, overMemoryTelling(&told), 4)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		errs := each(comms, func(c *Comm) error {
			if c.Rank() == 2 {
				<-c.job.hasFailed
				return nil
			}
			_, err := c.Shrink(ctx)
			return err
		})
		for _, rank := range []int{0, 1, 3} {
			assert.ErrorContains(t, errs[rank], "gave up: shrink: context deadline exceeded")
		}
		closeAll(comms)
		assert.Equal(t, []string{
			"10s: Shrink waits for rank 2 on nodec, which must call it too",
			"30s: Shrink waits for rank 2 on nodec, which must call it too",
		}, told)
	})
}
