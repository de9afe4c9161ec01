package dlp

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is done first is yielded first; work from results is submitted meanwhile.
func TestAsCompleted(t *testing.T) {
	for _, size := range []int{1, 3} {
		release := make(chan struct{})
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			f := NewFunc("f", func(_ context.Context, i int) (int, error) {
				if i == 0 {
					<-release
				}
				return i, nil
			})
			return Execute(ctx, c, func(ctx context.Context, ex *Executor) error {
				futures := []*Future[int]{f.Submit(ex, 0), f.Submit(ex, 1), f.Submit(ex, 2)}
				var order []int
				for future, err := range AsCompleted(ctx, futures...) {
					require.NoError(t, err)
					i, err := future.Result(ctx)
					require.NoError(t, err)
					if order = append(order, i); len(order) == 2 {
						more, err := f.Submit(ex, i+10).Result(ctx)
						require.NoError(t, err)
						assert.Equal(t, i+10, more)
						close(release)
					}
				}
				assert.ElementsMatch(t, []int{1, 2}, order[:2])
				assert.Equal(t, 0, order[2])
				for range AsCompleted(ctx, futures...) {
					order = append(order, 0)
				}
				assert.Len(t, order, 6, "futures that are done are yielded, too")
				return nil
			}, f, Slots(2))
		})
		require.NoError(t, errors.Join(errs...))
	}
}

func TestFutureWaitsEndWithTheirContext(t *testing.T) {
	release := make(chan struct{})
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		f := NewFunc("f", func(_ context.Context, i int) (int, error) {
			<-release
			return i, nil
		})
		return Execute(ctx, c, func(ctx context.Context, ex *Executor) error {
			future := f.Submit(ex, 7)
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, err := future.Result(ended)
			assert.ErrorIs(t, err, context.Canceled)
			for none, err := range AsCompleted(ended, future) {
				assert.Nil(t, none)
				assert.ErrorIs(t, err, context.Canceled)
			}
			close(release)
			got, err := future.Result(ctx)
			assert.Equal(t, 7, got, "the task has gone on")
			return err
		}, f)
	})
	require.NoError(t, errors.Join(errs...))
}

// A task that no rank has is withdrawn; one that a rank has is not.
func TestFutureCancel(t *testing.T) {
	for _, size := range []int{1, 2} {
		began, release := make(chan struct{}), make(chan struct{})
		var calls atomic.Int32
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			f := NewFunc("f", func(_ context.Context, i int) (int, error) {
				if calls.Add(1) == 1 {
					close(began)
				}
				<-release
				return i, nil
			})
			return Execute(ctx, c, func(ctx context.Context, ex *Executor) error {
				first, second, third := f.Submit(ex, 1), f.Submit(ex, 2), f.Submit(ex, 3)
				<-began
				assert.False(t, first.Cancel(), "it is being done")
				assert.True(t, second.Cancel())
				assert.False(t, second.Cancel(), "once")
				_, err := second.Result(ctx)
				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorContains(t, err, "cancelled before a rank had it")
				close(release)
				for i, future := range map[int]*Future[int]{1: first, 3: third} {
					got, err := future.Result(ctx)
					require.NoError(t, err)
					assert.Equal(t, i, got)
				}
				assert.False(t, third.Cancel(), "it is done")
				return nil
			}, f)
		})
		require.NoError(t, errors.Join(errs...))
		assert.EqualValues(t, 2, calls.Load())
	}
}

// Map keeps the order, and so many tasks in flight.
func TestFuncMap(t *testing.T) {
	for _, size := range []int{1, 3} {
		for _, ahead := range []int{0, 1, 7, 1000} {
			var submitted, yielded int
			errs := executes(t, size, func(ctx context.Context, ex *Executor, f funcs) error {
				args := func(yield func(int) bool) {
					for i := range 100 {
						submitted++
						assert.LessOrEqual(t, submitted-yielded, max(1, ahead))
						if !yield(i) {
							return
						}
					}
				}
				for r, err := range f.square.Map(ctx, ex, args, ahead) {
					require.NoError(t, err)
					assert.Equal(t, yielded*yielded, r)
					yielded++
				}
				return nil
			}, Slots(2))
			require.NoError(t, errors.Join(errs...))
			assert.Equal(t, 100, yielded)
		}
	}
}

func TestFuncMapEndsWithTheFirstError(t *testing.T) {
	for _, size := range []int{1, 3} {
		errs := executes(t, size, func(ctx context.Context, ex *Executor, f funcs) error {
			args := func(yield func(string) bool) {
				_ = yield("a") && yield("error") && yield("panic") && yield("b")
			}
			var got []string
			for r, err := range f.fail.Map(ctx, ex, args, 2*ex.Slots()) {
				if err != nil {
					assert.ErrorContains(t, err, "item 1 on rank")
					got = append(got, "error")
					continue
				}
				got = append(got, string(r))
			}
			assert.Equal(t, []string{"a", "error"}, got)
			return nil
		})
		require.NoError(t, errors.Join(errs...))
	}
}
