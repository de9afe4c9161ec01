package dlp

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMutex(t *testing.T) {
	for _, size := range []int{1, 2, 4} {
		shared := 0 // of all ranks, which are goroutines here: the race detector watches
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			mutex, err := NewMutex(ctx, c)
			if err != nil {
				return err
			}
			for range 25 {
				if err := mutex.Lock(ctx); err != nil {
					return err
				}
				shared++
				if err := mutex.Unlock(); err != nil {
					return err
				}
			}
			return errors.Join(c.Barrier(ctx), mutex.Close(), mutex.Close())
		})
		require.NoError(t, errors.Join(errs...))
		assert.Equal(t, 25*size, shared)
	}
}

// A Lock that is given up waits no more, and gives back what it gets at that moment.
func TestMutexCancelled(t *testing.T) {
	for _, holder := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			require.NoError(t, Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
				mutex, err := NewMutex(ctx, c)
				if err != nil {
					return err
				}
				if c.Rank() == holder {
					err = mutex.Lock(ctx)
					time.Sleep(time.Hour)
					return errors.Join(err, mutex.Unlock(), c.Barrier(ctx))
				}
				time.Sleep(time.Duration(c.Rank()+1) * time.Minute)
				short, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				assert.ErrorIs(t, mutex.Lock(short), context.DeadlineExceeded)
				start := time.Now()
				err = errors.Join(mutex.Lock(ctx), mutex.Unlock())
				assert.Greater(t, time.Since(start), 50*time.Minute)
				return errors.Join(err, c.Barrier(ctx))
			}))
		})
	}
}

// The holder is lost, leaves the job, or closes the Mutex: the next one gets it.
func TestMutexOfAHolderThatGoes(t *testing.T) {
	for name, goes := range map[string]func(b *breakable, c *Comm, m *Mutex) error{
		"lost":   func(b *breakable, c *Comm, _ *Mutex) error { b.cut(c.Rank()); return nil },
		"leaves": func(_ *breakable, c *Comm, _ *Mutex) error { return c.Close() },
		"closes": func(_ *breakable, _ *Comm, m *Mutex) error { return m.Close() },
	} {
		b := startBreakable(t, 3, nil)
		var ready, done sync.WaitGroup // in this process: the job itself is disturbed
		ready.Add(3)
		done.Add(2)
		errs := b.run(func(c *Comm) error {
			ctx := context.Background()
			mutex, err := NewMutex(ctx, c)
			if err != nil {
				return err
			}
			if c.Rank() == 1 {
				err = mutex.Lock(ctx)
			}
			ready.Done()
			ready.Wait()
			if c.Rank() == 1 {
				return errors.Join(err, goes(b, c, mutex))
			}
			err = errors.Join(mutex.Lock(ctx), mutex.Unlock(), mutex.Close())
			done.Done()
			done.Wait() // rank 0 serves the other one
			return err
		})
		assert.NoError(t, errors.Join(errs...), name)
	}
}

// Calls on a service whose rank 0 is gone end.
func TestServiceWithoutRankZero(t *testing.T) {
	errs := startBreakable(t, 2, nil).run(func(c *Comm) error {
		counter, err := NewCounter(context.Background(), c)
		if err != nil || c.IsRoot() {
			return err
		}
		for err == nil {
			_, err = counter.NextIndex(context.Background())
		}
		assert.ErrorIs(t, err, ErrLeft)
		return counter.Close()
	})
	require.NoError(t, errors.Join(errs...))
}
