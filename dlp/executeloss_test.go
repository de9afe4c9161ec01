package dlp

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Tasks of a lost rank are done by others, and one that two ranks were lost with
// has failed.
func TestExecuteSurvivesLosses(t *testing.T) {
	const poison = 30
	for _, opts := range [][]ExecuteOption{nil, {Slots(3)}} {
		job := startBreakable(t, 4, nil)
		errs := job.run(func(c *Comm) error {
			f := NewFunc("checksum", func(_ context.Context, n int) (uint64, error) {
				if n == poison {
					job.cut(c.Rank())
					c.ame.AwaitLost(context.Background(), 0)
				}
				return checksum(n), nil
			})
			return Execute(context.Background(), c, func(ctx context.Context, ex *Executor) error {
				var futures []*Future[uint64]
				for i := range 200 {
					futures = append(futures, f.Submit(ex, i))
				}
				for i, future := range futures {
					got, err := future.Result(ctx)
					if i == poison {
						assert.ErrorIs(t, err, ErrLost)
						assert.ErrorContains(t, err, "it is not tried again")
						continue
					}
					require.NoError(t, err)
					assert.Equal(t, checksum(i), got)
				}
				return nil
			}, append(opts, f)...)
		})
		require.NoError(t, errs[0])
	}
}

// With no rank left, futures get the reason, also those that come later.
func TestExecuteWithoutRanks(t *testing.T) {
	job := startBreakable(t, 2, nil)
	errs := job.run(func(c *Comm) error {
		f := NewFunc("f", func(context.Context, int) (int, error) {
			job.cut(c.Rank())
			c.ame.AwaitLost(context.Background(), 0)
			return 0, nil
		})
		return Execute(context.Background(), c, func(ctx context.Context, ex *Executor) error {
			for range 2 {
				_, err := f.Submit(ex, 1).Result(ctx)
				assert.ErrorIs(t, err, ErrLost)
				assert.ErrorContains(t, err, "no rank is left")
			}
			return nil
		}, f)
	})
	assert.ErrorIs(t, errs[0], ErrLost)
}

// StopOn lets tasks that ranks have be done; the others and later ones get an
// ErrStopped, as do all ranks.
func TestExecuteStops(t *testing.T) {
	for _, size := range []int{1, 3} {
		stop := newStopper()
		var worked atomic.Int32
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			f := NewFunc("f", func(_ context.Context, n int) (int, error) {
				if worked.Add(1) == 50 {
					stop.ask()
				}
				return n, nil
			})
			return Execute(ctx, c, func(ctx context.Context, ex *Executor) error {
				var futures []*Future[int]
				for i := range 100_000 {
					futures = append(futures, f.Submit(ex, i))
				}
				done := 0
				for _, future := range futures {
					if _, err := future.Result(ctx); err == nil {
						done++
					} else {
						require.ErrorIs(t, err, ErrStopped)
					}
				}
				assert.EqualValues(t, worked.Load(), done)
				_, err := f.Submit(ex, 1).Result(ctx)
				return err
			}, f, StopOn(stop.stop, time.Hour))
		})
		for rank, err := range errs {
			assert.ErrorIs(t, err, ErrStopped, "rank %d of %d", rank, size)
		}
	}
}

// Options of items are options of tasks.
func TestExecuteRetries(t *testing.T) {
	for _, size := range []int{1, 3} {
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			f := NewFunc("f", func(ctx context.Context, n int) (int, error) {
				switch {
				case n == 7:
					<-ctx.Done()
					return 0, ctx.Err()
				case Attempt(ctx) == 1:
					return 0, errOdd
				}
				return n, nil
			})
			return Execute(ctx, c, func(ctx context.Context, ex *Executor) error {
				for i, future := range map[int]*Future[int]{3: f.Submit(ex, 3), 4: f.Submit(ex, 4)} {
					got, err := future.Result(ctx)
					require.NoError(t, err)
					assert.Equal(t, i, got)
				}
				_, err := f.Submit(ex, 7).Result(ctx)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				return nil
			}, f, Retries(1), ItemTimeout(10*time.Millisecond))
		})
		for _, err := range errs {
			require.NoError(t, err)
		}
	}
}
