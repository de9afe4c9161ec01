package dlp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// atRoot is a sequence on rank 0 and nil elsewhere.
func atRoot[T any](c *Comm, items iter.Seq[T]) iter.Seq[T] {
	if c.IsRoot() {
		return items
	}
	return nil
}

// count yields 0..n-1, for ever if n is negative.
func count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i != n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

type parcel struct {
	Name string
	Data []byte
	Of   map[string]float64
}

// parcelOf makes an item, one in ten of which is large.
func parcelOf(i int) parcel {
	size := i % 50
	if i%10 == 7 {
		size = 100_000
	}
	return parcel{fmt.Sprint("parcel ", i), slices.Repeat([]byte{byte(i)}, size), map[string]float64{"i": float64(i)}}
}

func TestMapFromRoot(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5} {
		for name, opts := range map[string][]MapOption{"plain": nil, "root works": {RootWorks()}, "slots": {Slots(3)}, "both": {Slots(2), RootWorks()}} {
			for _, n := range []int{0, 1, 300} {
				var seen tally
				errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
					items := func(yield func(parcel) bool) {
						for i := range n {
							if !yield(parcelOf(i)) {
								return
							}
						}
					}
					work := func(_ context.Context, p parcel) (string, error) {
						return fmt.Sprint(p.Name, len(p.Data), p.Of["i"]), nil
					}
					for r, err := range MapFromRoot(ctx, c, atRoot(c, items), work, opts...) {
						if err != nil {
							return err
						}
						want := parcelOf(r.Index)
						assert.Equal(t, fmt.Sprint(want.Name, len(want.Data), want.Of["i"]), r.Value)
						seen.add(r.Index)
					}
					return nil
				})
				require.NoError(t, errors.Join(errs...), "%s, %d ranks", name, size)
				assert.Len(t, seen.counts, n, "%s, %d ranks", name, size)
			}
		}
	}
}

// Payloads that travel as they lie in memory, some in messages of their own.
func TestMapFromRootRaw(t *testing.T) {
	for _, size := range []int{1, 3} {
		seen := 0
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			items := func(yield func([]float64) bool) {
				for i := range 100 {
					if !yield(slices.Repeat([]float64{float64(i)}, i*500)) {
						return
					}
				}
			}
			work := func(_ context.Context, list []float64) (float64, error) {
				sum := 0.
				for _, f := range list {
					sum += f
				}
				return sum, nil
			}
			for r, err := range MapFromRoot(ctx, c, atRoot(c, items), work, Slots(2)) {
				if err != nil {
					return err
				}
				assert.Equal(t, float64(r.Index*r.Index*500), r.Value)
				seen++
			}
			return nil
		})
		require.NoError(t, errors.Join(errs...))
		assert.Equal(t, 100, seen)
	}
}

// A sequence that waits for the result of one item before it yields the next:
// each item is handed out as soon as it comes.
func TestMapFromRootGrows(t *testing.T) {
	for _, size := range []int{1, 2, 3} {
		for _, opts := range [][]MapOption{nil, {Slots(3)}} {
			results := make(chan int, 1)
			seen := 0
			errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
				items := func(yield func(int) bool) {
					for next := 0; next < 1000 && yield(next); {
						next = <-results
					}
				}
				for r, err := range MapFromRoot(ctx, c, atRoot(c, items), func(_ context.Context, n int) (int, error) { return n + 10, nil }, opts...) {
					if err != nil {
						return err
					}
					seen++
					results <- r.Value
				}
				return nil
			})
			require.NoError(t, errors.Join(errs...))
			assert.Equal(t, 100, seen)
		}
	}
}

// Items that have failed, on their way or in work.
func TestMapFromRootItemsThatFail(t *testing.T) {
	items := func(yield func(any) bool) {
		_ = yield(1) && yield(make(chan int)) && yield("two") && yield(errOdd.Error())
	}
	for _, size := range []int{1, 2} {
		for _, policy := range []ErrorPolicy{Stop, Continue} {
			failed := map[int]string{}
			values := map[int]string{}
			errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
				work := func(_ context.Context, v any) (string, error) {
					if v == errOdd.Error() {
						return "", errOdd
					}
					return fmt.Sprintf("%T", v), nil
				}
				for r, err := range MapFromRoot(ctx, c, atRoot(c, items), work, OnError(policy)) {
					if err != nil {
						return err
					}
					if values[r.Index] = r.Value; r.Err != nil {
						failed[r.Index] = r.Err.Error()
					}
				}
				return nil
			})
			if policy == Stop {
				for _, err := range errs {
					assert.ErrorContains(t, err, "item 1 on rank")
					assert.ErrorContains(t, err, "chan int")
				}
				continue
			}
			require.NoError(t, errors.Join(errs...))
			require.Len(t, failed, 2)
			assert.Contains(t, failed[1], "chan int")
			assert.Contains(t, failed[3], "odd one out")
			assert.Equal(t, map[int]string{0: "int64", 1: "", 2: "string", 3: ""}, values)
		}
	}
}

func TestMapFromRootRefused(t *testing.T) {
	loop := func(items func(c *Comm) iter.Seq[int]) func(ctx context.Context, c *Comm) error {
		return func(ctx context.Context, c *Comm) error {
			for _, err := range MapFromRoot(ctx, c, items(c), square) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	tests := map[string]struct {
		body func(ctx context.Context, c *Comm) error
		want string
		not  int // a size that is well
	}{
		"nil": {loop(func(*Comm) iter.Seq[int] { return nil }), "rank 0 has no items", 0},
		"item type": {func(ctx context.Context, c *Comm) error {
			for _, err := range MapFromRoot(ctx, c, atRoot(c, slices.Values([]closedBook{{1}})), func(context.Context, closedBook) (int, error) { return 0, nil }) {
				return err
			}
			return nil
		}, "closedBook.x is unexported", 0},
		"another loop": {func(ctx context.Context, c *Comm) error {
			if c.Rank() == 1 {
				return mapOf(ctx, c, 1)
			}
			return loop(func(c *Comm) iter.Seq[int] { return atRoot(c, count(3)) })(ctx, c)
		}, "map of rank 0's items over a sequence on rank 0; map over 5 items on rank 1", 1},
		"other types": {func(ctx context.Context, c *Comm) error {
			if c.Rank() == 1 {
				for _, err := range MapFromRoot(ctx, c, nil, func(context.Context, string) (int, error) { return 0, nil }) {
					return err
				}
			}
			return loop(func(c *Comm) iter.Seq[int] { return atRoot(c, count(3)) })(ctx, c)
		}, "got int64 where string is wanted as string", 1},
	}
	for name, test := range tests {
		for _, size := range []int{1, 2} {
			for rank, err := range eachRank(t, size, true, test.body) {
				if size == test.not {
					assert.NoError(t, err, name)
				} else if assert.Error(t, err, "%s, rank %d of %d", name, rank, size) {
					assert.Equal(t, 1, strings.Count(err.Error(), test.want), "%s: %v", name, err)
				}
			}
		}
	}
}
