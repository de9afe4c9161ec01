package dlp

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// splitForm is one way to write the loop.
type splitForm struct {
	name string
	loop func(ctx context.Context, c *Comm, n int, opts ...SplitOption) iter.Seq2[int, error]
}

func splitForms() []splitForm {
	return []splitForm{
		{"slice", func(ctx context.Context, c *Comm, n int, opts ...SplitOption) iter.Seq2[int, error] {
			return SplitManaged(ctx, c, numbers(n), opts...)
		}},
		{"sequence", func(ctx context.Context, c *Comm, n int, opts ...SplitOption) iter.Seq2[int, error] {
			return SplitManagedSeq(ctx, c, slices.Values(numbers(n)), opts...)
		}},
	}
}

func TestSplitRoundRobin(t *testing.T) {
	for _, size := range []int{1, 3} {
		for _, n := range []int{0, 2, 10} {
			var seen, seenSeq tally
			require.NoError(t, Run(t.Context(), size, func(ctx context.Context, c *Comm) error {
				for item := range SplitRoundRobin(c, numbers(n)) {
					assert.Equal(t, c.Rank(), item%size)
					seen.add(item)
				}
				for item := range SplitRoundRobinSeq(c, slices.Values(numbers(n))) {
					assert.Equal(t, c.Rank(), item%size)
					seenSeq.add(item)
					if item >= 5 {
						break
					}
				}
				return nil
			}))
			assert.Len(t, seen.counts, n)
			assert.LessOrEqual(t, len(seenSeq.counts), n)
		}
	}
}

func TestSplitManagedDoesEachItemOnce(t *testing.T) {
	for _, form := range splitForms() {
		for _, size := range []int{1, 2, 3, 8} {
			for _, n := range []int{0, 1, 2, 7, 1000} {
				for _, opts := range [][]SplitOption{nil, {Dedicated()}} {
					var seen tally
					errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
						for item, err := range form.loop(ctx, c, n, opts...) {
							if err != nil {
								return err
							}
							if opts != nil && size > 1 {
								assert.NotZero(t, c.Rank(), "rank 0 is dedicated")
							}
							seen.add(item)
						}
						return nil
					})
					require.NoError(t, errors.Join(errs...))
					assert.Len(t, seen.counts, n)
					for item, times := range seen.counts {
						assert.Equal(t, 1, times, "%s on %d ranks: item %d of %d", form.name, size, item, n)
					}
				}
			}
		}
	}
}

func TestSplitManagedIteratorCanBeUsedAgain(t *testing.T) {
	for _, form := range splitForms() {
		var seen tally
		require.NoError(t, Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
			loop := form.loop(ctx, c, 100)
			for range 2 {
				for item, err := range loop {
					if err != nil {
						return err
					}
					seen.add(item)
				}
			}
			return nil
		}))
		assert.Len(t, seen.counts, 100)
		for _, times := range seen.counts {
			assert.Equal(t, 2, times)
		}
	}
}
