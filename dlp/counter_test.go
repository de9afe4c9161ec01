package dlp

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCounter(t *testing.T) {
	for _, size := range []int{1, 2, 5} {
		var seen tally
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			counter, err := NewCounter(ctx, c)
			if err != nil {
				return err
			}
			var calls sync.WaitGroup
			for range 3 {
				calls.Go(func() {
					for range 10 {
						n, err := counter.NextIndex(ctx)
						assert.NoError(t, err)
						seen.add(n)
					}
				})
			}
			calls.Wait()
			if err := c.Barrier(ctx); err != nil {
				return err
			}
			if c.Rank() == size-1 {
				before, err := counter.Add(ctx, -5)
				assert.NoError(t, err)
				assert.Equal(t, 30*size, before)
			}
			err = errors.Join(counter.Close(), counter.Close())
			_, closed := counter.NextIndex(ctx)
			assert.ErrorIs(t, closed, ErrClosed)
			return err
		})
		require.NoError(t, errors.Join(errs...), "%d ranks", size)
		assert.Equal(t, once(30*size), seen.counts)
	}
}

// A counter works inside a loop, and shares out what is in none.
func TestCounterInALoop(t *testing.T) {
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		counter, err := NewCounter(ctx, c)
		if err != nil {
			return err
		}
		for _, err := range SplitManaged(ctx, c, numbers(20)) {
			if err == nil {
				_, err = counter.NextIndex(ctx)
			}
			if err != nil {
				return err
			}
		}
		if err := c.Barrier(ctx); err != nil {
			return err
		}
		n, err := counter.Add(ctx, 0)
		assert.Equal(t, 20, n)
		return err // Close of the Comm closes it
	})
	require.NoError(t, errors.Join(errs...))
}

func TestCounterAndMutexRefuse(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		_, none := NewCounter(ctx, nil)
		assert.ErrorContains(t, none, "the Comm is nil")
		counter, err := NewCounter(ctx, c)
		mutex, err2 := NewMutex(ctx, c)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		_, err = counter.NextIndex(ended)
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, mutex.Lock(ended), context.Canceled)
		assert.ErrorContains(t, mutex.Unlock(), "this rank has not locked it")
		return errors.Join(counter.Close(), mutex.Close())
	})
	require.NoError(t, errors.Join(errs...))
}
