package dlp

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMapUnorderedStopsOnError(t *testing.T) {
	fails := map[string]func() error{
		"error": func() error { return errOdd },
		"panic": func() error { panic("odd one out") },
	}
	for name, fail := range fails {
		for _, size := range []int{1, 2, 4} {
			for _, opts := range [][]MapOption{nil, {RootWorks()}} {
				results := 0
				errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
					work := func(_ context.Context, n int) (int, error) {
						if n == 1000 {
							return 0, fail()
						}
						return n, nil
					}
					for r, err := range MapUnordered(ctx, c, numbers(200_000), work, opts...) {
						if err != nil {
							return err
						}
						require.NoError(t, r.Err)
						results++
					}
					return nil
				})
				for rank, err := range errs {
					require.Error(t, err, "%s on rank %d of %d", name, rank, size)
					assert.Regexp(t, `item 1000 on rank \d \(\S+\): .*odd one out`, err.Error())
				}
				assert.Less(t, results, 199_999, "nothing new is handed out")
				var item *ItemError
				require.ErrorAs(t, errs[0], &item)
				assert.Equal(t, 1000, item.Index)
				assert.NotEmpty(t, item.Host)
				assert.Equal(t, name == "panic", item.Stack != nil)
				if name == "panic" {
					assert.Contains(t, string(item.Stack), "maperror_test.go")
				}
				if size == 1 && name == "error" {
					assert.ErrorIs(t, errs[0], errOdd)
				}
			}
		}
	}
}

func TestMapUnorderedContinues(t *testing.T) {
	for _, size := range []int{1, 3} {
		var good, bad tally
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			work := func(_ context.Context, n int) (int, error) {
				switch n % 3 {
				case 1:
					return 0, errOdd
				case 2:
					panic(fmt.Sprint("panic at ", n))
				}
				return n, nil
			}
			for r, err := range MapUnordered(ctx, c, numbers(300), work, OnError(Continue)) {
				if err != nil {
					return err
				}
				if r.Err == nil {
					good.add(r.Index)
					continue
				}
				bad.add(r.Index)
				var item *ItemError
				if assert.ErrorAs(t, r.Err, &item) {
					assert.Equal(t, r.Index, item.Index)
					assert.Equal(t, r.Index%3 == 2, item.Stack != nil)
				}
			}
			return nil
		})
		require.NoError(t, errors.Join(errs...))
		assert.Len(t, good.counts, 100)
		assert.Len(t, bad.counts, 200)
	}
}

func TestMapUnorderedManyErrorsAreCounted(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		next := 0
		work := func(context.Context, int) (int, error) {
			if next++; next > 100 {
				return 0, errOdd
			}
			return 0, nil
		}
		for _, err := range MapUnordered(ctx, c, numbers(100_000), work) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	require.Error(t, errs[0])
	assert.Less(t, len(errs[0].Error()), 10_000)
}

// mapOf maps to a value and returns the loop's error.
func mapOf[R any](ctx context.Context, c *Comm, value R, opts ...MapOption) error {
	work := func(context.Context, int) (R, error) { return value, nil }
	for _, err := range MapUnordered(ctx, c, numbers(5), work, opts...) {
		if err != nil {
			return err
		}
	}
	return nil
}

// Results that cannot travel are errors of their items, those of types that
// cannot are errors of the loop.
func TestMapUnorderedValuesThatCannotTravel(t *testing.T) {
	tests := []struct {
		name, want string
		loop       func(ctx context.Context, c *Comm) error
	}{
		{"chan", "item 0 on rank 0 .* chan int", func(ctx context.Context, c *Comm) error {
			return mapOf[any](ctx, c, make(chan int), RootWorks())
		}},
		{"own error", "I stay here", func(ctx context.Context, c *Comm) error { return mapOf(ctx, c, selfish{}) }},
		{"own panic", "I crash", func(ctx context.Context, c *Comm) error { return mapOf(ctx, c, crashing{}) }},
		{"type", `map: rank \d: .*closedBook\.x is unexported`, func(ctx context.Context, c *Comm) error { return mapOf(ctx, c, closedBook{1}) }},
	}
	for _, test := range tests {
		for _, size := range []int{1, 3} {
			if size == 1 && test.name[:3] == "own" {
				continue // nothing is encoded
			}
			for rank, err := range eachRank(t, size, true, test.loop) {
				if assert.Error(t, err, "%s, rank %d of %d", test.name, rank, size) && (size == 1 || test.name != "chan") {
					assert.Regexp(t, test.want, err.Error())
				}
			}
		}
	}
}

func TestMapUnorderedTypesDiffer(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		if c.IsRoot() {
			for _, err := range MapUnordered(ctx, c, numbers(5), func(context.Context, int) ([]int32, error) { return nil, nil }) {
				if err != nil {
					return err
				}
			}
			return nil
		}
		for _, err := range MapUnordered(ctx, c, numbers(5), func(context.Context, int) ([]float64, error) { return []float64{1}, nil }) {
			return err
		}
		return nil
	})
	require.Error(t, errs[0])
	assert.Contains(t, errs[0].Error(), "got []float64 where []int32 is wanted")
}

func TestMapUnorderedGoexitOfWork(t *testing.T) {
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) (err error) {
		work := func(_ context.Context, n int) (int, error) {
			if n == 50 {
				runtime.Goexit()
			}
			return n, nil
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, failed := range MapUnordered(ctx, c, numbers(100), work) {
				err = failed
			}
		})
		wg.Wait()
		return err
	})
	require.Error(t, errs[0])
	assert.Regexp(t, `rank \d on \S+: left the loop, unfinished items? .*: its goroutine was ended by runtime.Goexit`, errs[0].Error())
	assert.NotContains(t, errs[0].Error(), "panic")
}

func TestMapUnorderedPanicOfBody(t *testing.T) {
	for _, opts := range [][]MapOption{nil, {RootWorks()}} {
		errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) (err error) {
			defer func() {
				if v := recover(); v != nil {
					assert.Equal(t, "boom", v)
				}
			}()
			for _, failed := range MapUnordered(ctx, c, numbers(200_000), square, opts...) {
				if err = failed; failed == nil {
					panic("boom")
				}
			}
			return err
		})
		require.NoError(t, errs[0])
		for _, err := range errs[1:] {
			require.Error(t, err)
			assert.Contains(t, err.Error(), "rank 0 on")
			assert.Contains(t, err.Error(), "left the loop body by a panic")
		}
	}
}
