package dlp

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slotUse checks that no slot of a rank is in two calls of work at once.
type slotUse struct {
	mu  sync.Mutex
	use map[int]bool
	all map[int]int
}

func (u *slotUse) enter(ctx context.Context) (leave func(), err error) {
	slot := Slot(ctx)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.use == nil {
		u.use, u.all = map[int]bool{}, map[int]int{}
	}
	if u.use[slot] {
		return nil, fmt.Errorf("slot %d is in use", slot)
	}
	u.use[slot] = true
	u.all[slot]++
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.use[slot] = false
	}, nil
}

// slotsOfRank are different on each rank.
func slotsOfRank(rank int) int { return 2 + rank%3 }

// Each rank fills all of its slots: the first items meet in work, before any of
// them is done.
func TestSlotsWorkAtOnce(t *testing.T) {
	for _, size := range []int{1, 2, 4} {
		for _, rootWorks := range []bool{false, true} {
			all := 0
			var opts []MapOption
			if rootWorks {
				opts = []MapOption{RootWorks()}
			}
			for rank := range size {
				if rank > 0 || rootWorks || size == 1 {
					all += slotsOfRank(rank)
				}
			}
			for _, seq := range []bool{false, true} {
				var met sync.WaitGroup
				met.Add(all)
				var seen tally
				errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
					var use slotUse
					work := func(ctx context.Context, n int) (int, error) {
						leave, err := use.enter(ctx)
						if err != nil {
							return 0, err
						}
						defer leave()
						if n < all {
							met.Done()
							met.Wait()
						}
						return n * n, nil
					}
					opts := append([]MapOption{Slots(slotsOfRank(c.Rank()))}, opts...)
					loop := MapUnordered(ctx, c, numbers(all+500), work, opts...)
					if seq {
						loop = MapUnorderedSeq(ctx, c, slices.Values(numbers(all+500)), work, opts...)
					}
					for r, err := range loop {
						if err != nil {
							return err
						}
						assert.Equal(t, r.Index*r.Index, r.Value)
						seen.add(r.Index)
					}
					assert.LessOrEqual(t, len(use.all), slotsOfRank(c.Rank()))
					return nil
				})
				require.NoError(t, errors.Join(errs...))
				assert.Equal(t, once(all+500), seen.counts)
			}
		}
	}
}

// A result comes although the other slots of its rank are in long items, and a
// long item does not keep others from being done.
func TestSlotsReportAtOnce(t *testing.T) {
	for _, size := range []int{1, 2} {
		over := make(chan struct{})
		var seen atomic.Int32
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			work := func(_ context.Context, n int) (int, error) {
				if n < 3 {
					<-over
				}
				return n, nil
			}
			for _, err := range MapUnordered(ctx, c, numbers(300), work, Slots(4)) {
				if err != nil {
					return err
				}
				if seen.Add(1) == 297 {
					close(over)
				}
			}
			return nil
		})
		require.NoError(t, errors.Join(errs...))
		assert.EqualValues(t, 300, seen.Load())
	}
}

// When an item has failed, those in the other slots are done and reported.
func TestSlotsStop(t *testing.T) {
	fails := map[string]func() (int, error){
		"error": func() (int, error) { return 0, errOdd },
		"panic": func() (int, error) { panic("odd one out") },
	}
	for name, fail := range fails {
		for _, size := range []int{1, 2} {
			var met sync.WaitGroup
			met.Add(3)
			var seen tally
			errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
				work := func(_ context.Context, n int) (int, error) {
					if n < 3 {
						met.Done()
						met.Wait()
					}
					if n == 1 {
						return fail()
					}
					return n, nil
				}
				for r, err := range MapUnordered(ctx, c, numbers(100_000), work, Slots(3)) {
					if err != nil {
						return err
					}
					seen.add(r.Index)
				}
				return nil
			})
			for _, err := range errs {
				assert.ErrorContains(t, err, "odd one out", "%s on %d ranks", name, size)
			}
			assert.Equal(t, 1, seen.counts[0])
			assert.Equal(t, 1, seen.counts[2])
			assert.Less(t, len(seen.counts), 99_999)
		}
	}
}

// A slot that ends by runtime.Goexit ends the loop, and its rank's goroutine.
func TestSlotsGoexitOfWork(t *testing.T) {
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) (err error) {
		work := func(_ context.Context, n int) (int, error) {
			if n == 50 {
				runtime.Goexit()
			}
			return n, nil
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, failed := range MapUnordered(ctx, c, numbers(100), work, Slots(3)) {
				err = failed
			}
		})
		wg.Wait()
		return err
	})
	require.Error(t, errs[0])
	assert.Regexp(t, `rank \d on \S+: left the loop, unfinished item.*runtime.Goexit`, errs[0].Error())
}

// A panic of the sequence is one of the loop, in the goroutine of the loop.
func TestSlotsPanicOfSequence(t *testing.T) {
	items := func(yield func(int) bool) {
		for i := range 20 {
			if !yield(i) {
				return
			}
		}
		panic("no more")
	}
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("recovered: %v", v)
			}
		}()
		for _, failed := range MapUnorderedSeq(ctx, c, items, square, Slots(3)) {
			err = failed
		}
		return err
	})
	assert.ErrorContains(t, errs[0], "rank 1")
	assert.ErrorContains(t, errs[1], "recovered: no more")
}

func TestSlotsContextEnds(t *testing.T) {
	for _, size := range []int{1, 3} {
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			work := func(ctx context.Context, n int) (int, error) {
				if n > 100 {
					cancel()
					<-ctx.Done()
				}
				return n, nil
			}
			for _, err := range MapUnordered(ctx, c, numbers(1_000_000), work, Slots(4)) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		for rank, err := range errs {
			assert.ErrorIs(t, err, context.Canceled, "rank %d of %d", rank, size)
		}
	}
}

func TestSlotsRefused(t *testing.T) {
	for _, size := range []int{1, 2} {
		for _, err := range eachRank(t, size, true, func(ctx context.Context, c *Comm) error { return mapOf(ctx, c, 1, Slots(0)) }) {
			assert.ErrorContains(t, err, "Slots(0): a rank works on at least one item at once")
		}
	}
	assert.Zero(t, Slot(t.Context()), "outside of work")
}
