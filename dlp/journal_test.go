package dlp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// journaled are the loops that have a Journal.
func journaled() map[string]func(ctx context.Context, c *Comm, items []string, work func(context.Context, string) (string, error), opts ...MapOption) iter.Seq2[Result[string], error] {
	type form = func(ctx context.Context, c *Comm, items []string, work func(context.Context, string) (string, error), opts ...MapOption) iter.Seq2[Result[string], error]
	return map[string]form{
		"list": MapUnordered[string, string],
		"of root": func(ctx context.Context, c *Comm, items []string, work func(context.Context, string) (string, error), opts ...MapOption) iter.Seq2[Result[string], error] {
			if !c.IsRoot() {
				return MapFromRoot(ctx, c, nil, work, opts...)
			}
			return MapFromRoot(ctx, c, slices.Values(items), work, opts...)
		},
	}
}

func words(n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprint("item ", i/2) // each twice
	}
	return items
}

// Started again, a loop yields each item once, those that are finished without
// working on them, also if the list has grown and is in another order.
func TestJournalResumes(t *testing.T) {
	for name, loop := range journaled() {
		for _, size := range []int{1, 2, 4} {
			for _, opts := range [][]MapOption{nil, {RootWorks()}, {Slots(3)}} {
				path := filepath.Join(t.TempDir(), "run.journal")
				var worked atomic.Int32
				run := func(items []string, until int) (yielded map[int]string, resumed int) {
					yielded = map[int]string{}
					errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
						work := func(_ context.Context, s string) (string, error) {
							worked.Add(1)
							return "of " + s, nil
						}
						for r, err := range loop(ctx, c, items, work, append(opts, Journal(path))...) {
							if err != nil {
								return err
							}
							assert.NotContains(t, yielded, r.Index)
							yielded[r.Index] = r.Value
							if r.Resumed {
								resumed++
							}
							if len(yielded) == until {
								break
							}
						}
						return nil
					})
					require.NoError(t, errors.Join(errs...))
					return yielded, resumed
				}
				first, resumed := run(words(200), 50)
				assert.Zero(t, resumed)
				assert.Len(t, first, 50)

				items := append(words(200), "new", "item 7")
				slices.Reverse(items)
				before := worked.Load()
				second, resumed := run(items, -1)
				require.Len(t, second, len(items))
				for i, value := range second {
					assert.Equal(t, "of "+items[i], value)
				}
				assert.GreaterOrEqual(t, resumed, 50, "%s on %d ranks", name, size)
				assert.EqualValues(t, len(items)-resumed, worked.Load()-before)

				before = worked.Load()
				third, resumed := run(items, -1)
				assert.Equal(t, second, third)
				assert.Equal(t, len(items), resumed)
				assert.Equal(t, before, worked.Load())
			}
		}
	}
}

// loopWith ranges over a loop with a Journal on all ranks and returns its error
// by rank, and what was yielded.
func loopWith[T, R any](t *testing.T, size int, items []T, work func(context.Context, T) (R, error), opts ...MapOption) (errs []error, got map[int]Result[R]) {
	got = map[int]Result[R]{}
	errs = eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
		for r, err := range MapUnordered(ctx, c, items, work, opts...) {
			if err != nil {
				return err
			}
			got[r.Index] = r
		}
		return nil
	})
	return errs, got
}

// What has failed is worked on again.
func TestJournalForgetsFailures(t *testing.T) {
	for _, size := range []int{1, 3} {
		path := filepath.Join(t.TempDir(), "run.journal")
		var good atomic.Bool
		work := func(_ context.Context, n int) (int, error) {
			if n == 3 && !good.Load() {
				return 0, errOdd
			}
			return n, nil
		}
		errs, got := loopWith(t, size, numbers(10), work, Journal(path), OnError(Continue), RootWorks())
		require.NoError(t, errors.Join(errs...))
		assert.Error(t, got[3].Err)
		good.Store(true)
		errs, got = loopWith(t, size, numbers(10), work, Journal(path), RootWorks())
		require.NoError(t, errors.Join(errs...))
		for i, r := range got {
			assert.Equal(t, i != 3, r.Resumed)
			assert.Equal(t, i, r.Value)
		}
	}
}

// The program can ask for items again, by their results.
func TestJournalRedo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	for start := range 3 {
		var worked tally
		work := func(_ context.Context, n int) (string, error) {
			worked.add(n)
			if n == 3 && start == 0 {
				return "bad", nil
			}
			return fmt.Sprint("good ", start), nil
		}
		errs, got := loopWith(t, 2, numbers(6), work, Journal(path, JournalRedo(func(r string) bool { return r == "bad" })))
		require.NoError(t, errors.Join(errs...))
		require.Len(t, got, 6)
		switch start {
		case 1:
			assert.Equal(t, map[int]int{3: 1}, worked.counts)
			assert.Equal(t, []string{"good 0", "good 1"}, []string{got[2].Value, got[3].Value})
		case 2:
			assert.Empty(t, worked.counts)
			assert.Equal(t, "good 1", got[3].Value)
		}
	}
}
