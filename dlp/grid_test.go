package dlp

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGridDims(t *testing.T) {
	for _, test := range []struct {
		size int
		dims []int
		want []int // nil: none
	}{
		{6, []int{2, 3}, []int{2, 3}},
		{6, []int{0, 0}, []int{3, 2}},
		{6, []int{0, 3}, []int{2, 3}},
		{24, []int{0, 0, 0}, []int{4, 3, 2}},
		{24, []int{0, 2, 0}, []int{4, 2, 3}},
		{16, []int{0, 0}, []int{4, 4}},
		{7, []int{0, 0}, []int{7, 1}},
		{1, []int{0, 0}, []int{1, 1}},
		{5, []int{5}, []int{5}},
		{6, []int{4, 0}, nil},
		{6, []int{2, 2}, nil},
		{6, []int{-2, -3}, nil},
		{6, []int{7}, nil},
	} {
		dims := append([]int(nil), test.dims...)
		err := fillDims(dims, test.size)
		if test.want == nil {
			assert.Error(t, err, "%v for %d", test.dims, test.size)
			continue
		}
		require.NoError(t, err, "%v for %d", test.dims, test.size)
		assert.Equal(t, test.want, dims, "%v for %d", test.dims, test.size)
	}
}

// MPI 4.0, 8.5.1 and 8.5.5: coordinates in row-major order, and their opposite.
func TestGridCoordinates(t *testing.T) {
	g := &Cartesian{dims: []int{3, 4}, periodic: []bool{false, true}, rank: 7}
	assert.Equal(t, []int{1, 3}, g.Coords(7))
	for rank := range 12 {
		back, ok := g.Rank(g.Coords(rank)...)
		assert.True(t, ok)
		assert.Equal(t, rank, back)
	}
	assert.Nil(t, g.Coords(12))
	assert.Nil(t, g.Coords(-1))
	for _, coords := range [][]int{{3, 0}, {-1, 0}, {1}, {1, 1, 1}} {
		_, ok := g.Rank(coords...)
		assert.False(t, ok, "%v", coords)
	}
	for _, test := range []struct {
		dim, steps, want int
		ok               bool
	}{
		{0, 1, 11, true}, {0, -1, 3, true}, {0, 2, 0, false}, {0, -2, 0, false},
		{1, 1, 4, true}, {1, -1, 6, true}, {1, 4, 7, true}, {1, -9, 6, true}, {2, 1, 0, false}, {-1, 1, 0, false},
	} {
		rank, ok := g.Shift(test.dim, test.steps)
		assert.Equal(t, test.ok, ok, "%v", test)
		assert.Equal(t, test.want, rank, "%v", test)
	}
}

// Every rank gets from its neighbours what they have sent it.
func TestGridHalo(t *testing.T) {
	errs := eachRank(t, 6, true, func(ctx context.Context, c *Comm) error {
		g, err := Grid(c, []int{0, 0}, []bool{true, false})
		if err != nil {
			return err
		}
		assert.Equal(t, []int{3, 2}, g.Dims())
		for dim := range 2 {
			for tag, way := range []int{1, -1} {
				to, has := g.Shift(dim, way)
				if has {
					err = errors.Join(err, Send(ctx, c, g.Coords(c.Rank()), to, 2*dim+tag))
				}
				from, has := g.Shift(dim, -way)
				if !has {
					continue
				}
				coords, _, failed := Recv[[]int](ctx, c, from, 2*dim+tag)
				err = errors.Join(err, failed)
				assert.Equal(t, g.Coords(from), coords)
			}
		}
		return err
	})
	require.NoError(t, errors.Join(errs...))
}

func TestGridRefuses(t *testing.T) {
	_, err := Grid(nil, []int{1}, nil)
	assert.ErrorContains(t, err, "the Comm is nil")
	errs := eachRank(t, 2, true, func(_ context.Context, c *Comm) error {
		_, err := Grid(c, []int{3}, nil)
		_, err2 := Grid(c, nil, nil)
		_, err3 := Grid(c, []int{2}, []bool{true, true})
		assert.ErrorContains(t, err2, "0 dimensions")
		assert.ErrorContains(t, err3, "1 dimensions, and whether 2 are periodic")
		return err
	})
	for _, err := range errs {
		assert.ErrorContains(t, err, "no grid of [3] has 2 places")
	}
}
