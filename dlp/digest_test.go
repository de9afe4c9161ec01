package dlp

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// loopOver runs a managed loop over items that do nothing.
func loopOver[T any](ctx context.Context, c *Comm, items []T, opts ...LoopOption) error {
	var split []SplitOption
	var mapped []MapOption
	for _, o := range opts {
		split, mapped = append(split, o), append(mapped, o)
	}
	for _, err := range SplitManaged(ctx, c, items, split...) {
		if err != nil {
			return err
		}
	}
	for _, err := range MapUnordered(ctx, c, items, func(context.Context, T) (int, error) { return 0, nil }, mapped...) {
		if err != nil {
			return err
		}
	}
	return nil
}

type example struct {
	Name  string
	Sizes [2]int
	Tags  []string
	Score float64
}

func examples(n int) []example {
	list := make([]example, n)
	for i := range list {
		list[i] = example{fmt.Sprint("example ", i), [2]int{i, 2 * i}, []string{"a", fmt.Sprint(i)}, float64(i)}
	}
	return list
}

// Items that are not the same on all ranks are an error on all of them, which
// names the first one that differs.
func TestItemsThatDiffer(t *testing.T) {
	swap := func(i, j int) func(c *Comm, list []example) {
		return func(c *Comm, list []example) {
			if c.Rank() == 2 {
				list[i], list[j] = list[j], list[i]
			}
		}
	}
	change := func(f func(e *example)) func(c *Comm, list []example) {
		return func(c *Comm, list []example) {
			if c.Rank() == 1 {
				f(&list[7])
			}
		}
	}
	tests := []struct {
		name   string
		n      int
		change func(c *Comm, list []example)
		want   string
	}{
		{"order", 20, swap(3, 5), "item 3 of rank 0 is not item 3 of rank 2"},
		{"last of many", 30_000, swap(29_998, 29_999), "item 29999 of rank 0 is not item 29999 of rank 2"},
		{"string", 20, change(func(e *example) { e.Name += "x" }), "item 7 of rank 0 is not item 7 of rank 1"},
		{"array", 20, change(func(e *example) { e.Sizes[1]++ }), "item 7"},
		{"slice", 20, change(func(e *example) { e.Tags = []string{"a7", ""} }), "item 7"},
		{"number", 20, change(func(e *example) { e.Score = -e.Score }), "item 7"},
		{"all other ranks", 20, func(c *Comm, list []example) {
			if !c.IsRoot() {
				slices.Reverse(list)
			}
		}, "item 0 of rank 0 is not item 0 of ranks 1-2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for rank, err := range eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
				list := examples(test.n)
				test.change(c, list)
				return loopOver(ctx, c, list)
			}) {
				assert.ErrorContains(t, err, test.want, "rank %d", rank)
				assert.ErrorIs(t, err, ErrMismatch)
			}
		})
	}
}

func TestItemsThatCannotBeCompared(t *testing.T) {
	type tree struct{ Below []tree }
	require.NoError(t, Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
		own := c.Rank()
		for _, loop := range []func() error{
			func() error { return loopOver(ctx, c, []*int{&own}) },
			func() error { return loopOver(ctx, c, []any{own}) },
			func() error { return loopOver(ctx, c, []map[int]int{{own: 1}}) },
			func() error { return loopOver(ctx, c, []tree{{make([]tree, own)}}) },
			func() error { return loopOver(ctx, c, []struct{ F func() }{{}}) },
		} {
			if err := loop(); err != nil {
				return err
			}
		}
		return nil
	}))
}

// What is beyond the limits is not looked at.
func TestOnlySamplesAreCompared(t *testing.T) {
	require.NoError(t, Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		many := numbers(3 * maxSamples)
		many[1] += c.Rank()
		if err := loopOver(ctx, c, many); err != nil {
			return err
		}
		long := make([]byte, 65<<10)
		long[len(long)-1] = byte(c.Rank())
		return loopOver(ctx, c, [][]byte{long})
	}))
}

func TestKey(t *testing.T) {
	type file struct{ Path, Copy string }
	byPath := Key(func(f file) string { return f.Path })
	files := func(c *Comm) []file {
		return []file{{"a", fmt.Sprint("/tmp/a", c.Rank())}, {"b", fmt.Sprint("/tmp/b", c.Rank())}}
	}
	require.NoError(t, Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
		return loopOver(ctx, c, files(c), byPath)
	}))
	for _, err := range eachRank(t, 3, true, func(ctx context.Context, c *Comm) error { return loopOver(ctx, c, files(c)) }) {
		assert.ErrorContains(t, err, "item 0 of rank 0 is not item 0 of ranks 1-2")
	}
	for _, err := range eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		list := files(c)
		if c.Rank() == 1 {
			list[1].Path = "c"
		}
		return loopOver(ctx, c, list, byPath)
	}) {
		assert.ErrorContains(t, err, "item 1 of rank 0 is not item 1 of rank 1")
	}
	for _, size := range []int{1, 2} {
		for _, err := range eachRank(t, size, true, func(ctx context.Context, c *Comm) error { return loopOver(ctx, c, numbers(3), byPath) }) {
			assert.ErrorContains(t, err, "the key is a func(dlp.file) string, but the loop's items are of type int")
		}
	}
}

// BenchmarkDigest is what the comparison costs each rank of BenchmarkMapUnordered.
func BenchmarkDigest(b *testing.B) {
	items := numbers(benchItems)
	for b.Loop() {
		s, err := samplesOf(&source[int]{slice: items}, nil)
		if err != nil || s.sum() == 0 {
			b.Fatal(err)
		}
	}
}
