package dlp

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func numbers(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

func TestSplitManagedDoesEachItemOnce(t *testing.T) {
	for _, size := range []int{1, 2, 3, 8} {
		var mu sync.Mutex
		seen := map[int]int{}
		err := Run(t.Context(), size, func(ctx context.Context, c *Comm) error {
			for item, err := range SplitManaged(ctx, c, numbers(1000)) {
				if err != nil {
					return err
				}
				mu.Lock()
				seen[item]++
				mu.Unlock()
			}
			return c.Barrier(ctx)
		})
		require.NoError(t, err)
		assert.Len(t, seen, 1000)
		for item, times := range seen {
			assert.Equal(t, 1, times, "item %d", item)
		}
	}
}

func TestMapUnorderedYieldsEachResultOnce(t *testing.T) {
	for _, size := range []int{1, 2, 3, 8} {
		seen := map[int]int{}
		err := Run(t.Context(), size, func(ctx context.Context, c *Comm) error {
			square := func(_ context.Context, n int) (int, error) { return n * n, nil }
			for r, err := range MapUnordered(ctx, c, numbers(1000), square) {
				if err != nil {
					return err
				}
				assert.Equal(t, r.Index*r.Index, r.Value)
				seen[r.Index]++
			}
			return c.Barrier(ctx)
		})
		require.NoError(t, err)
		assert.Len(t, seen, 1000)
	}
}
