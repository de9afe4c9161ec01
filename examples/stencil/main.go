// Stencil finds the temperature of a square plate whose upper edge is hot and
// whose other edges are cold: Jacobi's iteration for Laplace's equation on a
// grid. Each rank has some rows. In every step it exchanges the rows at the
// border with its neighbours, and all ranks agree on the largest change.
//
//	ameexec -n 4 stencil
//
// The output is the same on any number of ranks, up to one for each row.
package main

import (
	"context"
	"fmt"
	"math"

	"github.com/dlp-mpi/dlp-go/dlp"
)

const (
	n         = 62   // rows, and columns, between the edges
	hot       = 100  // the temperature of the upper edge; the others have 0
	tolerance = 1e-3 // the change below which the iteration ends
)

func main() { dlp.Main(run) }

func run(ctx context.Context, world *dlp.Comm) error {
	if world.Size() > n {
		return fmt.Errorf("%d ranks, but only %d rows", world.Size(), n)
	}
	now, next := newPlate(world), newPlate(world)
	steps := 0
	for change := math.Inf(1); change > tolerance; steps++ {
		if err := now.exchange(ctx, world); err != nil {
			return err
		}
		var err error
		if change, err = dlp.Allreduce(ctx, world, next.relax(now), dlp.Max); err != nil {
			return err
		}
		now, next = next, now
	}
	return now.show(ctx, world, steps)
}

// plate is the rows of one rank, with a row above and one below that are the
// neighbours' or the edge, and a column at either edge.
type plate [][]float64

func newPlate(world *dlp.Comm) plate {
	begin, end := n*world.Rank()/world.Size(), n*(world.Rank()+1)/world.Size()
	p := make(plate, end-begin+2)
	for i := range p {
		p[i] = make([]float64, n+2)
	}
	if world.IsRoot() {
		for j := range p[0] {
			p[0][j] = hot
		}
	}
	return p
}

const (
	up   = 1 // tags of the rows that go up and down
	down = 2
)

// exchange gets the rows above and below from the neighbours. Rows are short, so
// the sends do not wait for the other rank.
func (p plate) exchange(ctx context.Context, world *dlp.Comm) (err error) {
	above, below, last := world.Rank()-1, world.Rank()+1, len(p)-1
	if above >= 0 {
		if err := dlp.Send(ctx, world, p[1], above, up); err != nil {
			return err
		}
	}
	if below < world.Size() {
		if err := dlp.Send(ctx, world, p[last-1], below, down); err != nil {
			return err
		}
		if p[last], _, err = dlp.Recv[[]float64](ctx, world, below, up); err != nil {
			return err
		}
	}
	if above >= 0 {
		p[0], _, err = dlp.Recv[[]float64](ctx, world, above, down)
	}
	return err
}

// relax sets each point to the mean of its neighbours in old, and returns the
// largest change.
func (p plate) relax(old plate) (change float64) {
	for i := 1; i < len(p)-1; i++ {
		for j := 1; j <= n; j++ {
			p[i][j] = (old[i-1][j] + old[i+1][j] + old[i][j-1] + old[i][j+1]) / 4
			change = max(change, math.Abs(p[i][j]-old[i][j]))
		}
	}
	return change
}

// show prints on rank 0 the temperatures in the middle column.
func (p plate) show(ctx context.Context, world *dlp.Comm, steps int) error {
	var middle []float64
	for _, row := range p[1 : len(p)-1] {
		middle = append(middle, row[n/2])
	}
	middle, err := dlp.Gatherv(ctx, world, middle)
	if err != nil || !world.IsRoot() {
		return err
	}
	fmt.Println("steps:", steps)
	for i := 0; i < n; i += 10 {
		fmt.Printf("row %2d: %.12f\n", i, middle[i])
	}
	return nil
}
