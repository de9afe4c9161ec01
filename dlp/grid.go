package dlp

import (
	"fmt"
	"slices"
)

// Cartesian is how the ranks of a Comm lie on a grid: rank 0 in the corner where
// all coordinates are 0, and with each next rank the last coordinate one up.
type Cartesian struct {
	dims     []int
	periodic []bool
	rank     int
}

// Grid lays the ranks of c out on a grid of as many dimensions as dims has, with
// dims[i] ranks along the i-th. One or more of them may be 0: they are chosen so
// that the grid has a place for each rank and is as little oblong as can be.
// periodic says for each dimension whether its ends meet; nil is none.
//
// It is not collective and sends nothing: all ranks that pass the same get the
// same. Dimensions that do not make up the Size of c are an error.
//
// The ranks that share a coordinate, such as those of a row, are a Comm of their
// own by c.Split(ctx, grid.Coords(c.Rank())[0], 0).
func Grid(c *Comm, dims []int, periodic []bool) (*Cartesian, error) {
	const op = "grid"
	if c == nil {
		return nil, &Error{Op: op, Rank: -1, Err: errNoComm}
	}
	if len(dims) == 0 || periodic != nil && len(periodic) != len(dims) {
		return nil, c.errorf(op, fmt.Errorf("%d dimensions, and whether %d are periodic", len(dims), len(periodic)))
	}
	g := &Cartesian{dims: slices.Clone(dims), periodic: slices.Clone(periodic), rank: c.Rank()}
	if periodic == nil {
		g.periodic = make([]bool, len(dims))
	}
	if err := fillDims(g.dims, c.Size()); err != nil {
		return nil, c.errorf(op, err)
	}
	return g, nil
}

// fillDims chooses the dimensions that are 0.
func fillDims(dims []int, size int) error {
	rest := size
	var free []int
	for i, n := range dims {
		switch {
		case n == 0:
			free = append(free, i)
		case n < 0 || rest%n != 0:
			return fmt.Errorf("no grid of %v has %d places", dims, size)
		default:
			rest /= n
		}
	}
	if len(free) == 0 && rest > 1 {
		return fmt.Errorf("no grid of %v has %d places", dims, size)
	}
	lengths := slices.Repeat([]int{1}, len(free))
	for _, factor := range factors(rest) { // the largest one to the shortest side
		shortest := slices.Index(lengths, slices.Min(lengths))
		lengths[shortest] *= factor
	}
	slices.Sort(lengths)
	slices.Reverse(lengths)
	for i, at := range free {
		dims[at] = lengths[i]
	}
	return nil
}

// factors are the prime factors of n, the largest one first.
func factors(n int) []int {
	var all []int
	for f := 2; n > 1; f++ {
		for ; n%f == 0; n /= f {
			all = append(all, f)
		}
	}
	slices.Reverse(all)
	return all
}

// Dims returns the number of ranks along each dimension.
func (g *Cartesian) Dims() []int { return slices.Clone(g.dims) }

// Coords returns where a rank is, nil if there is no such rank.
func (g *Cartesian) Coords(rank int) []int {
	coords := make([]int, len(g.dims))
	for i := len(coords) - 1; i >= 0; i-- {
		coords[i], rank = rank%g.dims[i], rank/g.dims[i]
		if coords[i] < 0 {
			return nil
		}
	}
	if rank != 0 {
		return nil
	}
	return coords
}

// Rank returns the rank at the given coordinates, ok == false if there is none.
// Along a periodic dimension every coordinate is one of the grid.
func (g *Cartesian) Rank(coords ...int) (rank int, ok bool) {
	if len(coords) != len(g.dims) {
		return 0, false
	}
	for i, at := range coords {
		n := g.dims[i]
		if g.periodic[i] {
			at = (at%n + n) % n
		}
		if at < 0 || at >= n {
			return 0, false
		}
		rank = rank*n + at
	}
	return rank, true
}

// Shift returns the rank that is by steps further along a dimension than this
// one, in the other direction if steps is negative; ok == false if there is none,
// because the grid ends before. That to which Shift(dim, 1) leads gets here by
// Shift(dim, -1).
func (g *Cartesian) Shift(dim, steps int) (rank int, ok bool) {
	if dim < 0 || dim >= len(g.dims) {
		return 0, false
	}
	coords := g.Coords(g.rank)
	coords[dim] += steps
	return g.Rank(coords...)
}
