package dlp

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func addLists(a, b []float64) []float64 {
	sum := make([]float64, len(a))
	for i := range a {
		sum[i] = a[i] + b[i]
	}
	return sum
}

// What goes on in the background and what waits have no order with each other.
func TestCollectivesInTheBackground(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5} {
		errs := eachRank(t, size, true, func(ctx context.Context, world *Comm) error {
			c, err := world.Dup(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			var sum, waited int
			var sums []float64
			wait := func() (err error) { waited, err = Allreduce(ctx, c, 1, Sum); return err }
			if c.Rank() == 0 {
				err = wait()
			}
			requests := []*Request{c.Ibarrier(), Iallreduce(c, c.Rank(), &sum, Sum)}
			if c.Rank() > 0 {
				err = wait()
			}
			requests = append(requests, Iallreduce(c, []float64{float64(c.Rank()), 1}, &sums, addLists))
			_, err2 := WaitAll(ctx, requests...)
			assert.Equal(t, size, waited)
			assert.Equal(t, size*(size-1)/2, sum)
			assert.Equal(t, []float64{float64(size * (size - 1) / 2), float64(size)}, sums)
			return errors.Join(err, err2)
		})
		require.NoError(t, errors.Join(errs...), "%d ranks", size)
	}
}

// MPI 4.0, 6.12.1: a process may leave once all have begun the barrier.
func TestIbarrierWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
			time.Sleep(time.Duration(c.Rank()) * time.Minute)
			r := c.Ibarrier()
			if c.Rank() == 0 {
				early, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				_, err := r.Wait(early)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.False(t, r.Cancel())
			}
			_, err := r.Wait(ctx)
			assert.Equal(t, 2*time.Minute, time.Since(start).Round(time.Minute))
			return err
		})
		require.NoError(t, err)
	})
}

func TestBackgroundMismatch(t *testing.T) {
	errs := eachRank(t, 3, false, func(ctx context.Context, c *Comm) error {
		if c.Rank() == 1 {
			_, err := c.Ibarrier().Wait(ctx)
			return err
		}
		var sum int
		_, err := Iallreduce(c, 1, &sum, Sum).Wait(ctx)
		return err
	})
	for _, err := range errs {
		assert.ErrorIs(t, err, ErrMismatch)
		assert.ErrorContains(t, err, "ibarrier (icollective_test.go:")
		assert.ErrorContains(t, err, "iallreduce (icollective_test.go:")
	}
}

func TestBackgroundForgotten(t *testing.T) {
	err := Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		var sum int
		r := Iallreduce(c, 1, &sum, Sum)
		if c.Rank() == 0 {
			return c.Barrier(ctx)
		}
		_, err := r.Wait(ctx)
		return errors.Join(err, c.Barrier(ctx))
	})
	assert.ErrorContains(t, err, "dlp: close: rank 0: a request was never waited for: iallreduce (icollective_test.go:")
}

func TestBackgroundPanic(t *testing.T) {
	errs := eachRank(t, 2, false, func(ctx context.Context, c *Comm) error {
		var sum int
		_, err := Iallreduce(c, 1, &sum, func(a, b int) int {
			if c.Rank() == 0 {
				panic("boom")
			}
			return a + b
		}).Wait(ctx)
		if err == nil { // it had its result already
			_, err = c.Ibarrier().Wait(ctx)
		}
		return err
	})
	assert.ErrorContains(t, errs[0], "panic: boom")
	assert.ErrorIs(t, errs[1], ErrAborted)
	assert.ErrorContains(t, errs[1], "rank 0 on ")
}

func TestBackgroundBadInput(t *testing.T) {
	var sum int
	var pipe chan int
	for want, call := range map[string]func(c *Comm) *Request{
		"the Comm is nil":         func(*Comm) *Request { return Iallreduce(nil, 1, &sum, Sum) },
		"dlp: ibarrier: the Comm": func(*Comm) *Request { return (*Comm)(nil).Ibarrier() },
		"nil as the place":        func(c *Comm) *Request { return Iallreduce(c, 1, nil, Sum) },
		"the operation is nil":    func(c *Comm) *Request { return Iallreduce(c, 1, &sum, nil) },
		"cannot travel":           func(c *Comm) *Request { return Iallreduce(c, pipe, &pipe, func(a, _ chan int) chan int { return a }) },
		"inside a split": func(c *Comm) *Request {
			leave, err := c.enter("split")
			require.NoError(t, err)
			defer leave()
			return c.Ibarrier()
		},
	} {
		errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
			_, err := call(c).Wait(ctx)
			return err
		})
		for _, err := range errs {
			assert.ErrorContains(t, err, want)
		}
	}
	errs := eachRank(t, 2, true, func(ctx context.Context, world *Comm) error {
		c, err := world.Dup(ctx)
		if err != nil {
			return err
		}
		c.Close()
		_, err = c.Ibarrier().Wait(ctx)
		return err
	})
	for _, err := range errs {
		assert.ErrorIs(t, err, ErrClosed)
	}
}
