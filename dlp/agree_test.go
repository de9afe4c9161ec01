package dlp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLoopsThatDoNotMatch(t *testing.T) {
	split := func(ctx context.Context, c *Comm, n int) error {
		for _, err := range SplitManaged(ctx, c, numbers(n)) {
			return err
		}
		return nil
	}
	sequence := func(ctx context.Context, c *Comm, n int) error {
		for _, err := range SplitManagedSeq(ctx, c, slices.Values(numbers(n))) {
			return err
		}
		return nil
	}
	mapped := func(ctx context.Context, c *Comm, n int) error {
		for _, err := range MapUnordered(ctx, c, numbers(n), func(context.Context, int) (int, error) { return 0, nil }) {
			return err
		}
		return nil
	}
	tests := []struct {
		name string
		body func(ctx context.Context, c *Comm) error
		want string
	}{
		{"lengths", func(ctx context.Context, c *Comm) error {
			return split(ctx, c, []int{10, 12, 12, 1}[c.Rank()])
		}, "split over 10 items on rank 0; split over 12 items on ranks 1-2; split over 1 item on rank 3"},
		{"kinds", func(ctx context.Context, c *Comm) error {
			if c.Rank()%2 == 1 {
				return mapped(ctx, c, 10)
			}
			return split(ctx, c, 10)
		}, "split over 10 items on ranks 0,2; map over 10 items on ranks 1,3"},
		{"slice and sequence", func(ctx context.Context, c *Comm) error {
			if c.Rank() == 3 {
				return sequence(ctx, c, 10)
			}
			return split(ctx, c, 10)
		}, "split over 10 items on ranks 0-2; split over a sequence on rank 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for rank, err := range eachRank(t, 4, true, test.body) {
				require.Error(t, err, "rank %d", rank)
				assert.Contains(t, err.Error(), test.want)
			}
		})
	}
}

func TestLoopMeetsGather(t *testing.T) {
	errs := eachRank(t, 2, false, func(ctx context.Context, c *Comm) error {
		if c.Rank() == 1 {
			_, err := Gather(ctx, c, 1.5)
			return err
		}
		for _, err := range SplitManaged(ctx, c, numbers(3)) {
			return err
		}
		return nil
	})
	require.Error(t, errs[0])
	assert.Regexp(t, `rank 1 is in gather ?(\(agree_test\.go:\d+\))?, rank 0 in SplitManaged \(agree_test\.go:\d+\)`, errs[0].Error())
}

func TestSequencesOfDifferentLength(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		n := 1000 - 999*c.Rank()
		for _, err := range SplitManagedSeq(ctx, c, slices.Values(numbers(n))) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	// Which ranks find out depends on who comes how far; none hangs.
	for _, err := range errs {
		if err != nil {
			assert.Contains(t, err.Error(), "ranks disagree on the number of items")
		}
	}
}

func TestCollectiveInsideALoop(t *testing.T) {
	for _, size := range []int{1, 3} {
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			for _, err := range SplitManaged(ctx, c, numbers(10)) {
				if err != nil {
					return err
				}
				calls := map[string]func() error{
					"bcast":   func() error { _, err := Bcast(ctx, c, 1); return err },
					"gather":  func() error { _, err := Gather(ctx, c, 1); return err },
					"barrier": func() error { return c.Barrier(ctx) },
					"dup":     func() error { _, err := c.Dup(ctx); return err },
					"call on root": func() error {
						_, err := CallOnRoot(ctx, c, func() (int, error) { return 1, nil })
						return err
					},
					"split": func() error {
						for _, err := range SplitManaged(ctx, c, numbers(2)) {
							return err
						}
						return nil
					},
				}
				for op, call := range calls {
					err := call()
					if assert.Error(t, err, op) {
						assert.Contains(t, err.Error(), "inside a split")
					}
				}
				for range SplitRoundRobin(c, numbers(2)) {
					continue // sends nothing, so it is welcome anywhere
				}
			}
			return nil
		})
		require.NoError(t, errors.Join(errs...))
	}
}

func TestLoopsSideBySide(t *testing.T) {
	var seen [4]tally
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		var wg sync.WaitGroup
		errs := make([]error, len(seen))
		for i := range seen {
			d, err := c.Dup(ctx)
			if err != nil {
				return err
			}
			wg.Go(func() {
				defer d.Close()
				for item, err := range SplitManaged(ctx, d, numbers(500)) {
					errs[i] = err
					seen[i].add(item)
				}
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	})
	require.NoError(t, errors.Join(errs...))
	for i := range seen {
		assert.Equal(t, once(500), seen[i].counts)
	}
}

func TestCloseInsideALoopEndsTheJob(t *testing.T) {
	for _, closer := range []int{0, 1} {
		job := startBreakable(t, 3, nil)
		closed := make(chan struct{})
		errs := job.run(func(c *Comm) error {
			for _, err := range SplitManaged(context.Background(), c, numbers(1000)) {
				if err != nil {
					return err
				}
				if c.Rank() == closer {
					c.Close()
					close(closed)
				}
				<-closed // or the others might do all items before the closer has one
			}
			return nil
		})
		for rank, err := range errs {
			require.Error(t, err, "rank %d", rank)
		}
		assert.ErrorContains(t, errs[2], "closed its Comm inside a loop")
	}
}
