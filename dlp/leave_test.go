package dlp

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
				want := `rank \d on \S+: left the loop by a panic, unfinished items? \d`
				if name == "goexit" {
					want = `rank \d on \S+: left the loop, unfinished items? \d+.*: its goroutine was ended by runtime.Goexit`
				}
				assert.Regexp(t, want, err.Error())
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

func TestSplitManagedFailsOnLoss(t *testing.T) {
	for _, opts := range [][]SplitOption{{OnLoss(Fail)}, {OnLoss(Fail), Dedicated()}} {
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
