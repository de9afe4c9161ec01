package dlp

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sendOf gathers a value of rank 1 and sends one of rank 0.
func sendOf[T any](ctx context.Context, c *Comm, v T) (gathered, sent error) {
	var own T
	if c.Rank() == 1 {
		own = v
	}
	_, gathered = Gather(ctx, c, own)
	_, sent = Bcast(ctx, c, v)
	return gathered, sent
}

func TestValuesThatCannotTravel(t *testing.T) {
	type calls = func(ctx context.Context, c *Comm) (gathered, sent error)
	tests := map[string]struct {
		want string
		send calls
	}{
		"chan":       {"chan int", func(ctx context.Context, c *Comm) (_, _ error) { return sendOf[any](ctx, c, make(chan int)) }},
		"unexported": {"closedBook.x", func(ctx context.Context, c *Comm) (_, _ error) { return sendOf[any](ctx, c, closedBook{1}) }},
		"error":      {"errors.errorString", func(ctx context.Context, c *Comm) (_, _ error) { return sendOf(ctx, c, errOdd) }},
		"own error":  {"I stay here", func(ctx context.Context, c *Comm) (_, _ error) { return sendOf(ctx, c, &selfish{}) }},
		"own panic":  {"I crash", func(ctx context.Context, c *Comm) (_, _ error) { return sendOf(ctx, c, &crashing{}) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var gathered, sent [3]error
			eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
				gathered[c.Rank()], sent[c.Rank()] = test.send(ctx, c)
				return nil
			})
			for rank, err := range sent {
				assert.ErrorContains(t, err, test.want, "bcast on rank %d", rank)
			}
			assert.ErrorContains(t, gathered[0], test.want)
			assert.ErrorContains(t, gathered[0], "rank 1 on ")
			assert.ErrorContains(t, gathered[1], test.want)
			assert.NoError(t, gathered[2])
		})
	}
}

// A type that would lose something is refused by every call, on all ranks, and
// when there is only one.
func TestTypesThatCannotTravel(t *testing.T) {
	const want = "T.Stats.mean is unexported and would be lost"
	type Stats struct {
		N    int
		mean float64
	}
	type T struct{ Stats []Stats }
	calls := map[string]func(ctx context.Context, c *Comm) error{
		"gather": func(ctx context.Context, c *Comm) error { _, err := Gather(ctx, c, T{}); return err },
		"bcast":  func(ctx context.Context, c *Comm) error { _, err := Bcast(ctx, c, &T{}); return err },
		"call on root": func(ctx context.Context, c *Comm) error {
			_, err := CallOnRoot(ctx, c, func() ([]T, error) { return nil, errors.New("called") })
			return err
		},
		"map":         func(ctx context.Context, c *Comm) error { return mapOf(ctx, c, map[string]T{}) },
		"list":        func(ctx context.Context, c *Comm) error { _, err := NewUnorderedList[T](c).Gather(ctx); return err },
		"nested map":  func(ctx context.Context, c *Comm) error { _, err := NewNestedMap[T](c).Gather(ctx); return err },
		"func inside": func(ctx context.Context, c *Comm) error { _, err := Gather(ctx, c, struct{ F func() }{}); return err },
	}
	for op, call := range calls {
		for _, size := range []int{1, 3} {
			for rank, err := range eachRank(t, size, true, call) {
				if op == "func inside" {
					assert.ErrorContains(t, err, "struct.F is a func(), which means nothing in another process")
				} else {
					assert.ErrorContains(t, err, want, "%s on rank %d of %d", op, rank, size)
				}
			}
		}
	}
	require.NoError(t, Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		_, err := Gather(ctx, c, Stats{N: 1, mean: 2})
		return err
	}, WithCodec(jsonCodec{})), "a codec of the user's is the user's matter")
}

// What rank 0 gets of its own is what the others would give.
func TestAnyHasOneTypeOnAllRanks(t *testing.T) {
	type pair struct{ X, Y int }
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		for _, v := range []any{5, float32(1.5), pair{1, 2}, map[string]int{"a": 1}, []string{"x"}, &pair{3, 4}} {
			all, err := Gather(ctx, c, v)
			if err != nil {
				return err
			}
			if c.IsRoot() {
				assert.Equal(t, []any{all[1], all[1], all[2]}, all)
			}
			got, err := Bcast(ctx, c, v)
			if err != nil {
				return err
			}
			types, err := Gather(ctx, c, fmt.Sprintf("%T", got))
			if c.IsRoot() {
				assert.Equal(t, []string{types[0], types[0], types[0]}, types)
			}
			if err != nil {
				return err
			}
			for r, err := range MapUnordered(ctx, c, numbers(9), func(context.Context, int) (any, error) { return v, nil }, RootWorks()) {
				if err != nil {
					return err
				}
				assert.IsType(t, got, r.Value, "rank %d", r.Rank)
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}

func TestTypesDiffer(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		if c.IsRoot() {
			_, err := Gather(ctx, c, "text")
			return err
		}
		_, err := Gather(ctx, c, []int32{1})
		return err
	})
	assert.ErrorContains(t, errs[0], "rank 1 on ")
	assert.ErrorContains(t, errs[0], "got []int32 where string is wanted as string")
	assert.NoError(t, errs[1])
}

func TestValuesAreNotShared(t *testing.T) {
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		own := []int64{int64(c.Rank()), 1, 2}
		got, err := Bcast(ctx, c, own)
		if err != nil {
			return err
		}
		all, err := Gather(ctx, c, own)
		if err != nil {
			return err
		}
		own[1], own[2] = -1, -1
		if err := c.Barrier(ctx); err != nil {
			return err
		}
		if c.IsRoot() {
			assert.Equal(t, []int64{2, 1, 2}, all[2])
			return nil
		}
		assert.Equal(t, []int64{0, 1, 2}, got)
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}
