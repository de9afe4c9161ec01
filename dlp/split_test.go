package dlp

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// splitForm is one way to write the loop.
type splitForm struct {
	name string
	loop func(ctx context.Context, c *Comm, n int, opts ...SplitOption) iter.Seq2[int, error]
}

func splitForms() []splitForm {
	return []splitForm{
		{"slice", func(ctx context.Context, c *Comm, n int, opts ...SplitOption) iter.Seq2[int, error] {
			return SplitManaged(ctx, c, numbers(n), opts...)
		}},
		{"sequence", func(ctx context.Context, c *Comm, n int, opts ...SplitOption) iter.Seq2[int, error] {
			return SplitManagedSeq(ctx, c, slices.Values(numbers(n)), opts...)
		}},
	}
}

func TestSplitRoundRobin(t *testing.T) {
	for _, size := range []int{1, 3} {
		for _, n := range []int{0, 2, 10} {
			var seen, seenSeq tally
			require.NoError(t, Run(t.Context(), size, func(ctx context.Context, c *Comm) error {
				for item := range SplitRoundRobin(c, numbers(n)) {
					assert.Equal(t, c.Rank(), item%size)
					seen.add(item)
				}
				for item := range SplitRoundRobinSeq(c, slices.Values(numbers(n))) {
					assert.Equal(t, c.Rank(), item%size)
					seenSeq.add(item)
					if item >= 5 {
						break
					}
				}
				return nil
			}))
			assert.Len(t, seen.counts, n)
			assert.LessOrEqual(t, len(seenSeq.counts), n)
		}
	}
}

func TestSplitManagedDoesEachItemOnce(t *testing.T) {
	for _, form := range splitForms() {
		for _, size := range []int{1, 2, 3, 8} {
			for _, n := range []int{0, 1, 2, 7, 1000} {
				for _, opts := range [][]SplitOption{nil, {Dedicated()}} {
					var seen tally
					errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
						for item, err := range form.loop(ctx, c, n, opts...) {
							if err != nil {
								return err
							}
							if opts != nil && size > 1 {
								assert.NotZero(t, c.Rank(), "rank 0 is dedicated")
							}
							seen.add(item)
						}
						return nil
					})
					require.NoError(t, errors.Join(errs...))
					assert.Len(t, seen.counts, n)
					for item, times := range seen.counts {
						assert.Equal(t, 1, times, "%s on %d ranks: item %d of %d", form.name, size, item, n)
					}
				}
			}
		}
	}
}

func TestSplitManagedIteratorCanBeUsedAgain(t *testing.T) {
	for _, form := range splitForms() {
		var seen tally
		require.NoError(t, Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
			loop := form.loop(ctx, c, 100)
			for range 2 {
				for item, err := range loop {
					if err != nil {
						return err
					}
					seen.add(item)
				}
			}
			return nil
		}))
		assert.Len(t, seen.counts, 100)
		for _, times := range seen.counts {
			assert.Equal(t, 2, times)
		}
	}
}

func TestSplitManagedBreak(t *testing.T) {
	for _, leaver := range []int{0, 1, 2} {
		var seen tally
		errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
			for item, err := range SplitManaged(ctx, c, numbers(1000)) {
				if err != nil {
					return err
				}
				seen.add(item)
				if c.Rank() == leaver {
					break
				}
			}
			// Other ranks are still in the loop when the leaver comes here.
			all, err := Gather(ctx, c, c.Rank())
			if c.IsRoot() {
				assert.Equal(t, []int{0, 1, 2}, all)
			}
			return err
		})
		require.NoError(t, errors.Join(errs...))
		assert.Equal(t, once(1000), seen.counts, "rank %d breaks", leaver)
	}
}

func TestSplitManagedAllBreak(t *testing.T) {
	for _, form := range splitForms() {
		errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
			for _, err := range form.loop(ctx, c, 1000) {
				return err
			}
			return nil
		})
		require.NoError(t, errors.Join(errs...), form.name)
	}
}

func TestSplitManagedPanic(t *testing.T) {
	goexit := func() { runtime.Goexit() }
	crash := func() { panic("boom") }
	for name, leave := range map[string]func(){"panic": crash, "goexit": goexit} {
		for _, leaver := range []int{0, 2} {
			gone := make(chan struct{})
			errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) (err error) {
				var wg sync.WaitGroup
				wg.Go(func() { // to survive a Goexit
					defer func() {
						if v := recover(); v != nil {
							assert.Equal(t, "boom", v)
						}
					}()
					for _, failed := range SplitManaged(ctx, c, numbers(1000)) {
						if err = failed; failed != nil {
							continue
						}
						if c.Rank() == leaver {
							close(gone)
							leave()
						}
						<-gone
					}
				})
				wg.Wait()
				return err
			})
			for rank, err := range errs {
				if rank == leaver {
					require.NoError(t, err, name)
					continue
				}
				require.Error(t, err, "%s of rank %d, on rank %d", name, leaver, rank)
				assert.Regexp(t, `rank \d on \S+: left the loop by a panic, unfinished items? \d`, err.Error())
			}
		}
	}
}

func TestSplitManagedContextEnds(t *testing.T) {
	cause := errors.New("enough")
	for _, opts := range [][]SplitOption{nil, {Dedicated()}} {
		for _, leaver := range []int{0, 2} {
			leaverCtx, cancel := context.WithCancelCause(t.Context())
			left := make(chan struct{})
			fromAnywhere := leaver == 0 && opts != nil // which has no body to do it in
			errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
				if c.Rank() == leaver {
					ctx = leaverCtx
					defer close(left)
				}
				for _, err := range SplitManaged(ctx, c, numbers(10), opts...) {
					if err != nil {
						return err
					}
					if c.Rank() == leaver || fromAnywhere {
						cancel(cause)
					}
					if c.Rank() != leaver {
						<-left
					}
				}
				return nil
			})
			for rank, err := range errs {
				require.Error(t, err, "rank %d leaves, on rank %d", leaver, rank)
				assert.Contains(t, err.Error(), "enough")
				assert.Equal(t, rank == leaver, errors.Is(err, cause))
			}
		}
	}
}

func TestSplitManagedContextEndsWhileWaiting(t *testing.T) {
	for _, waiter := range []int{0, 1} {
		waiterCtx, cancel := context.WithCancel(t.Context())
		errs := eachRank(t, 4, true, func(ctx context.Context, c *Comm) error {
			if c.Rank() == waiter {
				ctx = waiterCtx
			}
			// One other rank has the only item until the waiter has given up;
			// then all are sent home, or have been.
			for _, err := range SplitManaged(ctx, c, numbers(1)) {
				if err != nil {
					return err
				}
				cancel()
				<-waiterCtx.Done()
			}
			return nil
		})
		if errs[waiter] != nil { // nil if it was sent home at that moment
			assert.ErrorIs(t, errs[waiter], context.Canceled)
		}
	}
}

func TestSplitManagedLostRank(t *testing.T) {
	for _, opts := range [][]SplitOption{nil, {Dedicated()}} {
		job := startBreakable(t, 3, nil)
		isCut := make(chan struct{})
		errs := job.run(func(c *Comm) error {
			for _, err := range SplitManaged(context.Background(), c, numbers(1000), opts...) {
				if err != nil {
					return err
				}
				if c.Rank() == 2 {
					job.cut(2)
					close(isCut)
				}
				<-isCut // or the others might do all items before rank 2 has one
			}
			return nil
		})
		require.Error(t, errs[0])
		assert.Regexp(t, `rank 2 on node2: lost.*unfinished items? \d`, errs[0].Error())
		require.Error(t, errs[1])
		assert.Contains(t, errs[1].Error(), "rank 2 on node2")
		require.Error(t, errs[2])
	}
}

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
	assert.Regexp(t, `rank 1 is in gather ?(\(split_test\.go:\d+\))?, rank 0 in SplitManaged \(split_test\.go:\d+\)`, errs[0].Error())
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
