package dlp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnorderedList(t *testing.T) {
	for _, size := range []int{1, 3} {
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			list := NewUnorderedList[string](c)
			for round := range 2 { // empty again after Gather
				var want []string
				for rank := range size {
					for i := range 2 * rank { // nothing on rank 0
						if want = append(want, fmt.Sprint(round, rank, i)); rank == c.Rank() {
							list.Append(fmt.Sprint(round, rank, i))
						}
					}
				}
				all, err := list.Gather(ctx)
				if err != nil {
					return err
				}
				if c.IsRoot() {
					assert.Equal(t, append([]string{}, want...), all)
				} else {
					assert.Nil(t, all)
				}
			}
			return nil
		})
		require.NoError(t, errors.Join(errs...))
	}
}

func TestUnorderedListKeepsItsPartAfterAnError(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		list := NewUnorderedList[any](c)
		if c.Rank() == 1 {
			list.Append(1, make(chan int))
		}
		_, err := list.Gather(ctx)
		if c.Rank() == 1 {
			assert.Len(t, list.values, 2)
		}
		return err
	})
	assert.ErrorContains(t, errs[0], "chan")
	assert.ErrorContains(t, errs[1], "chan")
}

func TestContainersTakeSeveralGoroutines(t *testing.T) {
	require.NoError(t, Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		list, nested := NewUnorderedList[int](c), NewNestedMap[int](c)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				list.Append(i)
				assert.NoError(t, nested.Set(i, fmt.Sprint(c.Rank()), fmt.Sprint(i)))
			})
		}
		wg.Wait()
		all, err := list.Gather(ctx)
		if err != nil {
			return err
		}
		tree, err := nested.Gather(ctx)
		if c.IsRoot() {
			assert.Len(t, all, 40)
			assert.Equal(t, 40, tree.Len())
		}
		return err
	}))
}

func TestNestedMap(t *testing.T) {
	for _, size := range []int{1, 3} {
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			m := NewNestedMap[float64](c)
			for i := range SplitRoundRobin(c, numbers(4)) {
				if err := m.Set(float64(i), "set"+fmt.Sprint(i%2), "example"+fmt.Sprint(i)); err != nil {
					return err
				}
			}
			if c.IsRoot() {
				if err := m.Set(-1, "all"); err != nil {
					return err
				}
			}
			tree, err := m.Gather(ctx)
			if err != nil || !c.IsRoot() {
				assert.Nil(t, tree)
				return err
			}
			var order []string
			for path, v := range tree.All() {
				order = append(order, fmt.Sprint(path, v))
			}
			assert.Equal(t, []string{"[all] -1", "[set0 example0] 0", "[set0 example2] 2", "[set1 example1] 1", "[set1 example3] 3"}, order)
			for path := range tree.All() {
				assert.Equal(t, []string{"all"}, path)
				break
			}
			v, ok := tree.Get("set1", "example3")
			assert.True(t, ok)
			assert.Equal(t, 3.0, v)
			for _, path := range [][]string{nil, {"set1"}, {"set1", "example3", "x"}, {"nothing"}} {
				_, ok = tree.Get(path...)
				assert.False(t, ok, path)
			}
			assert.Equal(t, 5, tree.Len())
			assert.Equal(t, map[string]any{
				"all":  -1.0,
				"set0": map[string]any{"example0": 0.0, "example2": 2.0},
				"set1": map[string]any{"example1": 1.0, "example3": 3.0},
			}, tree.Map())
			text, err := json.Marshal(tree)
			assert.Equal(t, `{"all":-1,"set0":{"example0":0,"example2":2},"set1":{"example1":1,"example3":3}}`, string(text))

			empty, err2 := NewNestedMap[int](c).tree, error(nil)
			assert.Empty(t, empty.Map())
			return errors.Join(err, err2)
		})
		require.NoError(t, errors.Join(errs...))
	}
}

func TestNestedMapSetRefuses(t *testing.T) {
	require.NoError(t, Run(t.Context(), 1, func(ctx context.Context, c *Comm) error {
		m := NewNestedMap[int](c)
		require.NoError(t, m.Set(1, "a", "b"))
		assert.ErrorContains(t, m.Set(2, "a", "b"), `cannot write "a" / "b": this rank has written "a" / "b"`)
		assert.ErrorContains(t, m.Set(2, "a"), `cannot write "a": this rank has written "a" / "b"`)
		assert.ErrorContains(t, m.Set(2, "a", "b", "c"), `cannot write "a" / "b" / "c": this rank has written "a" / "b"`)
		assert.ErrorContains(t, m.Set(2), "needs a path")
		require.NoError(t, m.Set(3, "a", ""))
		tree, err := m.Gather(ctx)
		assert.Equal(t, map[string]any{"a": map[string]any{"b": 1, "": 3}}, tree.Map())
		return err
	}))
}

func TestNestedMapPathIsCopied(t *testing.T) {
	require.NoError(t, Run(t.Context(), 1, func(ctx context.Context, c *Comm) error {
		m := NewNestedMap[int](c)
		path := []string{"a", "b"}
		require.NoError(t, m.Set(1, path...))
		path[1] = "c"
		tree, err := m.Gather(ctx)
		for p := range tree.All() {
			assert.Equal(t, []string{"a", "b"}, p)
		}
		return err
	}))
}

func TestNestedMapConflicts(t *testing.T) {
	errs := eachRank(t, 4, true, func(ctx context.Context, c *Comm) error {
		m := NewNestedMap[int](c)
		paths := [][]string{{"same"}, {"same"}, {"a"}, {"a", "b"}}[c.Rank()]
		require.NoError(t, m.Set(c.Rank(), paths...))
		require.NoError(t, m.Set(c.Rank(), "own", fmt.Sprint(c.Rank())))
		tree, err := m.Gather(ctx)
		if c.IsRoot() {
			v, _ := tree.Get("same")
			assert.Equal(t, 0, v)
			assert.Equal(t, 6, tree.Len(), "what is right is not lost")
		}
		return err
	})
	assert.ErrorContains(t, errs[0], `written more than once: "same" on ranks 0 and 1; "a" on rank 2 and "a" / "b" on rank 3`)
	var conflict *ConflictError
	require.ErrorAs(t, errs[0], &conflict)
	assert.Equal(t, Conflict{Path: []string{"a", "b"}, Rank: 3, FirstPath: []string{"a"}, FirstRank: 2}, conflict.Conflicts[1])
	require.NoError(t, errors.Join(errs[1:]...))
}
