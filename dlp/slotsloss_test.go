package dlp

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// All items in the slots of a lost rank are done by others.
func TestSlotsSurviveALoss(t *testing.T) {
	job := startBreakable(t, 3, nil)
	isCut := make(chan struct{})
	var full sync.WaitGroup // all slots of rank 2
	full.Add(4)
	var inSlots, again atomic.Int32
	var mu sync.Mutex
	held := map[int]bool{}
	got := map[int]int{}
	errs := job.run(func(c *Comm) error {
		work := func(_ context.Context, n int) (int, error) {
			if c.Rank() == 2 {
				mu.Lock()
				held[n] = true
				mu.Unlock()
				full.Done()
				full.Wait()
				if inSlots.Add(1) == 4 {
					job.cut(2)
					close(isCut)
				}
				c.ame.AwaitLost(context.Background(), 0)
				return -1, nil
			}
			<-isCut
			mu.Lock()
			defer mu.Unlock()
			if held[n] {
				again.Add(1)
			}
			return n, nil
		}
		for r, err := range MapUnordered(context.Background(), c, numbers(100), work, Slots(4)) {
			if err != nil {
				return err
			}
			assert.Equal(t, r.Index, r.Value)
			got[r.Index]++
		}
		return nil
	})
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	assert.Equal(t, once(100), got)
	assert.EqualValues(t, 4, again.Load())
}

// An item that takes two ranks with it has failed, but none of those that were in
// the other slots.
func TestPoisonInASlot(t *testing.T) {
	const poison = 2
	job := startBreakable(t, 4, nil)
	got := map[int]int{}
	var failed []*ItemError
	errs := job.run(func(c *Comm) error {
		work := func(_ context.Context, n int) (int, error) {
			if n == poison {
				job.cut(c.Rank())
				c.ame.AwaitLost(context.Background(), 0)
			}
			return n, nil
		}
		for r, err := range MapUnordered(context.Background(), c, numbers(200), work, Slots(4), OnError(Continue)) {
			if err != nil {
				return err
			}
			got[r.Index]++
			if r.Err != nil {
				failed = append(failed, r.Err.(*ItemError))
			}
		}
		return nil
	})
	require.NoError(t, errs[0])
	assert.Equal(t, once(200), got)
	require.Len(t, failed, 1)
	assert.Equal(t, poison, failed[0].Index)
}
