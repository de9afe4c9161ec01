package dlp

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A sequence that waits in code of its own does not hold up a loop that ends
// early. It is left behind, and ends when it next yields.
func TestMapFromRootLeavesAWaitingSequence(t *testing.T) {
	type end func(cancel context.CancelFunc) (leave bool)
	ends := map[string]end{
		"break":   func(context.CancelFunc) bool { return true },
		"context": func(cancel context.CancelFunc) bool { cancel(); return false },
	}
	for name, end := range ends {
		for _, size := range []int{1, 2} {
			release, left := make(chan struct{}), make(chan bool, 1)
			errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				items := func(yield func(int) bool) {
					more := yield(1)
					<-release // as a read of stdin would
					left <- more && yield(2)
				}
				for _, err := range MapFromRoot(ctx, c, atRoot(c, items), square, Slots(2)) {
					if err != nil {
						return err
					}
					if end(cancel) {
						break
					}
				}
				return nil
			})
			if name == "break" {
				assert.NoError(t, errors.Join(errs...))
			} else {
				assert.ErrorIs(t, errs[0], context.Canceled)
			}
			close(release)
			assert.False(t, <-left, "the sequence is told to end")
		}
	}
}

// What a sequence does when it is told to end has been done when the loop is over.
func TestMapFromRootWaitsForItsSequence(t *testing.T) {
	for _, size := range []int{1, 3} {
		ended := false
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			items := func(yield func(int) bool) {
				defer func() { ended = true }()
				count(-1)(yield)
			}
			seen := 0
			for _, err := range MapFromRoot(ctx, c, atRoot(c, items), square) {
				if err != nil {
					return err
				}
				if seen++; seen == 2000 {
					break
				}
			}
			assert.True(t, !c.IsRoot() || ended)
			return nil
		})
		require.NoError(t, errors.Join(errs...))
	}
}

func TestMapFromRootPanicOfSequence(t *testing.T) {
	fails := map[string]func(){"panic": func() { panic("no more") }, "goexit": runtime.Goexit}
	for name, fail := range fails {
		for _, size := range []int{1, 3} {
			var recovered any
			errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) (err error) {
				items := func(yield func(int) bool) {
					count(10)(yield)
					fail()
				}
				defer func() {
					if c.IsRoot() {
						recovered = recover()
					}
				}()
				for _, failed := range MapFromRoot(ctx, c, atRoot(c, items), square) {
					err = failed
				}
				return err
			})
			if name == "panic" {
				assert.Equal(t, "no more", recovered)
				errs = errs[1:]
			}
			for rank, err := range errs {
				assert.ErrorContains(t, err, "the sequence of items has ended", "%s, rank %d of %d", name, rank, size)
			}
		}
	}
}

// Items of lost ranks travel again.
func TestMapFromRootSurvivesLosses(t *testing.T) {
	for _, opts := range [][]MapOption{nil, {Slots(3)}, {RootWorks()}} {
		job := startBreakable(t, 4, nil)
		isCut := make(chan struct{})
		got := map[int]int{}
		errs := job.run(func(c *Comm) error {
			var done atomic.Int32
			work := func(_ context.Context, p parcel) (parcel, error) {
				if c.Rank() == 2 && done.Add(1) == 20 {
					job.cut(2)
					close(isCut)
				}
				if c.Rank() != 2 && done.Add(1) == 20 {
					<-isCut // or the others might do all items
				}
				return p, nil
			}
			items := func(yield func(parcel) bool) {
				for i := 0; i < 1000 && yield(parcelOf(i)); i++ {
				}
			}
			for r, err := range MapFromRoot(context.Background(), c, atRoot(c, items), work, opts...) {
				if err != nil {
					return err
				}
				assert.Equal(t, parcelOf(r.Index), r.Value)
				got[r.Index]++
			}
			return nil
		})
		for _, rank := range []int{0, 1, 3} {
			require.NoError(t, errs[rank])
		}
		assert.Equal(t, once(1000), got)
	}
}
