package dlp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everyCollective calls each function that this file is about, by name.
func everyCollective() map[string]func(ctx context.Context, c *Comm) error {
	ones := func(c *Comm) []int { return make([]int, max(1, sizeOf(c))) }
	return map[string]func(ctx context.Context, c *Comm) error{
		"scatter":        func(ctx context.Context, c *Comm) error { _, err := Scatter(ctx, c, ones(c)); return err },
		"scatterv":       func(ctx context.Context, c *Comm) error { _, err := Scatterv(ctx, c, ones(c), nil); return err },
		"gatherv":        func(ctx context.Context, c *Comm) error { _, err := Gatherv(ctx, c, ones(c)); return err },
		"allgather":      func(ctx context.Context, c *Comm) error { _, err := Allgather(ctx, c, 1); return err },
		"alltoall":       func(ctx context.Context, c *Comm) error { _, err := Alltoall(ctx, c, ones(c)); return err },
		"reduce":         func(ctx context.Context, c *Comm) error { _, err := Reduce(ctx, c, 1, Sum); return err },
		"allreduce":      func(ctx context.Context, c *Comm) error { _, err := Allreduce(ctx, c, 1, Sum); return err },
		"scan":           func(ctx context.Context, c *Comm) error { _, err := Scan(ctx, c, 1, Sum); return err },
		"exscan":         func(ctx context.Context, c *Comm) error { _, err := Exscan(ctx, c, 1, Sum); return err },
		"reduce scatter": func(ctx context.Context, c *Comm) error { _, err := ReduceScatter(ctx, c, ones(c), Sum); return err },
		"bcast":          func(ctx context.Context, c *Comm) error { return BcastInto(ctx, c, ones(c)) },
		"gather":         func(ctx context.Context, c *Comm) error { return GatherInto(ctx, c, []int{1}, ones(c)) },
		"scatter into":   func(ctx context.Context, c *Comm) error { return ScatterInto(ctx, c, ones(c), []int{1}) },
		"allgather into": func(ctx context.Context, c *Comm) error { return AllgatherInto(ctx, c, []int{1}, ones(c)) },
		"reduce into":    func(ctx context.Context, c *Comm) error { return ReduceInto(ctx, c, ones(c), Sum) },
		"allreduce into": func(ctx context.Context, c *Comm) error { return AllreduceInto(ctx, c, ones(c), Sum) },
	}
}

func sizeOf(c *Comm) int {
	if c == nil {
		return 0
	}
	return c.Size()
}

func TestCollectivesOnNoComm(t *testing.T) {
	for name, call := range everyCollective() {
		assert.ErrorContains(t, call(t.Context(), nil), "the Comm is nil", name)
		errs := eachRank(t, 2, true, func(ctx context.Context, world *Comm) error {
			c, err := world.Dup(ctx)
			if err != nil {
				return err
			}
			c.Close()
			return call(ctx, c)
		})
		for _, err := range errs {
			assert.ErrorIs(t, err, ErrClosed, name)
		}
		errs = eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
			for _, err := range SplitManaged(ctx, c, []int{1, 2}) {
				if err != nil {
					return err
				}
				assert.ErrorContains(t, call(ctx, c), "inside a split", name)
			}
			return nil
		})
		require.NoError(t, errors.Join(errs...))
	}
}

// A ctx that ends while ranks wait for one that does not come ends the call on
// all of them.
func TestCollectivesCancelled(t *testing.T) {
	for name, call := range everyCollective() {
		errs := eachRank(t, 3, false, func(ctx context.Context, c *Comm) error {
			if err := c.Barrier(ctx); err != nil { // all have started
				return err
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			if c.Rank() == 1 {
				cancel()
			}
			if err := call(ctx, c); err != nil {
				return err
			}
			return c.Barrier(ctx) // after what only sends
		})
		for rank, err := range errs {
			assert.ErrorContains(t, err, context.Canceled.Error(), "%s on rank %d", name, rank)
		}
	}
}

// A wrong number of values is an error on all ranks, which names the rank, and
// leaves the Comm as it was.
func TestWrongNumberOfValues(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, c *Comm, n int) error{
		"scatter": func(ctx context.Context, c *Comm, n int) error {
			_, err := Scatter(ctx, c, make([]string, n), Root(1))
			return err
		},
		"alltoall": func(ctx context.Context, c *Comm, n int) error {
			_, err := Alltoall(ctx, c, make([]string, n))
			return err
		},
		"reduce scatter": func(ctx context.Context, c *Comm, n int) error {
			_, err := ReduceScatter(ctx, c, make([]int, n), Sum)
			return err
		},
		"scatterv": func(ctx context.Context, c *Comm, n int) error {
			_, err := Scatterv(ctx, c, make([]int, 5), make([]int, n), Root(1))
			return err
		},
		"scatterv sum": func(ctx context.Context, c *Comm, n int) error {
			_, err := Scatterv(ctx, c, make([]int, 5), []int{1, 2, n}, Root(1))
			return err
		},
	} {
		for _, n := range []int{0, 1, 4} {
			errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
				if c.Rank() == 1 {
					return call(ctx, c, n)
				}
				return call(ctx, c, c.Size())
			})
			for rank, err := range errs {
				require.Error(t, err, "%s of %d on rank %d", name, n, rank)
				if rank != 1 {
					assert.ErrorContains(t, err, "rank 1 on ", name)
				}
			}
		}
	}
}

// Slices of different lengths are an error on all ranks that names one of them, or both.
func TestReduceOfDifferentLengths(t *testing.T) {
	both := 0 // errors that name both calls: where the other rank says in time from where it has called
	for _, lengths := range [][]int{{3, 3, 4}, {100_000, 100_000, 100_001}, {10, 100_000, 10}} {
		errs := eachRank(t, 3, false, func(ctx context.Context, c *Comm) error {
			if err := AllreduceInto(ctx, c, make([]float64, lengths[c.Rank()]), Sum); err != nil {
				return err
			}
			return c.Barrier(ctx)
		})
		for rank, err := range errs {
			assert.ErrorIs(t, err, ErrMismatch, "rank %d", rank)
			assert.Regexp(t, `allreduce of \d+ elements \(badinput_test.go:\d+\)`, err, "rank %d", rank)
			both += strings.Count(err.Error(), "badinput_test.go:") / 2
		}
	}
	assert.Positive(t, both)
}

// refuses is a value that cannot be encoded on rank 1.
type refuses struct{ N int }

func (r refuses) MarshalBinary() ([]byte, error) {
	if r.N == 1 {
		return nil, errOdd
	}
	return []byte{byte(r.N)}, nil
}

func (r *refuses) UnmarshalBinary(b []byte) error {
	r.N = int(b[0])
	return nil
}

func addRefuses(a, b refuses) refuses { return refuses{a.N + b.N + 10} }

// A value that cannot be encoded is an error where it is wanted, and c works.
func TestValueThatCannotBeEncoded(t *testing.T) {
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		v := refuses{c.Rank()}
		_, all := Allreduce(ctx, c, v, addRefuses)
		assert.ErrorContains(t, all, "odd one out")
		_, one := Reduce(ctx, c, v, addRefuses, Root(2))
		assert.Equal(t, c.Rank() > 0, one != nil, "reduce on rank %d: %v", c.Rank(), one)
		_, scan := Scan(ctx, c, v, addRefuses)
		assert.Equal(t, c.Rank() > 0, scan != nil, "scan on rank %d: %v", c.Rank(), scan)
		_, exscan := Exscan(ctx, c, v, addRefuses)
		assert.Equal(t, c.Rank() > 0, exscan != nil, "exscan on rank %d: %v", c.Rank(), exscan)
		_, gather := Allgather(ctx, c, v)
		assert.ErrorContains(t, gather, "odd one out")
		_, scatter := Scatter(ctx, c, []refuses{{0}, {1}, {2}})
		assert.Equal(t, c.Rank() < 2, scatter != nil, "scatter on rank %d: %v", c.Rank(), scatter)
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}

func TestNilOperation(t *testing.T) {
	for _, err := range eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		_, err := Allreduce(ctx, c, 1, nil)
		return errors.Join(err, ReduceInto(ctx, c, []int{1}, nil))
	}) {
		assert.ErrorContains(t, err, "the operation is nil")
	}
}

// Room that is wrong is an error on the root alone.
func TestGatherIntoTheWrongRoom(t *testing.T) {
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		return GatherInto(ctx, c, []int{1, 2}, make([]int, 5))
	})
	assert.ErrorContains(t, errs[0], "room for 5 numbers, where 3 ranks have 2 each")
	require.NoError(t, errors.Join(errs[1:]...))
}

// A whole that cannot be shared out is an error on all ranks, and room for
// another share one on its rank. The communicator still works.
func TestScatterIntoTheWrongRoom(t *testing.T) {
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		part := []int{0, 0}
		if err := ScatterInto(ctx, c, make([]int, 5), part); err == nil || !strings.Contains(err.Error(), "room for 5 numbers, where 3 ranks have 2 each") {
			return fmt.Errorf("rank %d: %w", c.Rank(), err)
		}
		if err := ScatterInto(ctx, c, []int{1, 2, 3, 4, 5, 6}, part[:2-c.Rank()/2]); c.Rank() == 2 {
			assert.ErrorContains(t, err, "the root has 16 bytes of []int64 for this rank, which has room for 8 of []int64")
		} else if err != nil {
			return err
		}
		return c.Barrier(ctx)
	})
	require.NoError(t, errors.Join(errs...))
}

// Operations keep the order of the ranks and work on values of any type.
func TestOperations(t *testing.T) {
	errs := eachRank(t, 5, true, func(ctx context.Context, c *Comm) error {
		rank := c.Rank()
		name, err := Allreduce(ctx, c, fmt.Sprint(rank), func(a, b string) string { return "(" + a + b + ")" })
		assert.Equal(t, "(((01)(23))4)", name)
		least, err2 := Allreduce(ctx, c, Loc[float64]{math.Abs(float64(rank - 2)), rank}, MinLoc)
		assert.Equal(t, Loc[float64]{0, 2}, least)
		most, err3 := Allreduce(ctx, c, Loc[float64]{math.Abs(float64(rank - 2)), rank}, MaxLoc)
		assert.Equal(t, Loc[float64]{2, 0}, most)
		all, err4 := Allreduce(ctx, c, rank < 4, And)
		any, err5 := Allreduce(ctx, c, rank == 4, Or)
		assert.Equal(t, []bool{false, true}, []bool{all, any})
		product, err6 := Allreduce(ctx, c, complex(0, float64(rank+1)), Prod)
		assert.Equal(t, complex(0, 120), product)
		low, err7 := Allreduce(ctx, c, int8(-rank), Min)
		assert.Equal(t, int8(-4), low)
		nan, err8 := Allreduce(ctx, c, math.Sqrt(float64(rank-1)), Max)
		assert.True(t, math.IsNaN(nan))
		return errors.Join(err, err2, err3, err4, err5, err6, err7, err8)
	})
	require.NoError(t, errors.Join(errs...))
}
