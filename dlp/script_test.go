package dlp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
)

// A script makes a hundred calls that its seed decides, on
// communicators that it makes as it goes. Each rank knows what all ranks pass,
// and so what it is to get.
type script struct {
	*rand.Rand
	world *Comm
	comms []*Comm
	step  int
}

// operand is what a rank of the job passes in a step, the i-th of its values.
func (p *script) operand(c *Comm, rank, i int) float64 {
	in, _ := c.Translate(rank, p.world)
	bits := uint64(p.step)<<40 + uint64(i)<<8 + uint64(in)
	for range 3 { // of splitmix64, which is cheap
		bits = (bits ^ bits>>30) * 0xbf58476d1ce4e5b9
	}
	return float64(int64(bits)) / float64(bits>>32|1)
}

// row is the i-th value of all ranks.
func (p *script) row(c *Comm, i int) []float64 {
	row := make([]float64, c.Size())
	for rank := range row {
		row[rank] = p.operand(c, rank, i)
	}
	return row
}

// list are n values of a rank.
func (p *script) list(c *Comm, rank, n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = p.operand(c, rank, i)
	}
	return list
}

// summed is what Reduce makes of a row, to the last bit.
func summed(row []float64) float64 {
	if len(row) == 1 {
		return row[0]
	}
	cut := 1
	for 2*cut < len(row) {
		cut *= 2
	}
	return summed(row[:cut]) + summed(row[cut:])
}

// scanned is what Scan makes of a row on its last rank, to the last bit.
func scanned(row []float64) float64 {
	window := slices.Clone(row)
	for d := 1; d < len(row); d *= 2 {
		for r := len(row) - 1; r >= d; r-- {
			window[r] = window[r-d] + window[r]
		}
	}
	return window[len(row)-1]
}

// summedLists is what ReduceInto makes of n values of each rank.
func (p *script) summedLists(c *Comm, n int) []float64 {
	sums := make([]float64, n)
	for i := range sums {
		sums[i] = summed(p.row(c, i))
	}
	return sums
}

// differ is an error if what this rank got is not what it should get.
func differ[T any](want, got T, err error) error {
	if err == nil && !reflect.DeepEqual(want, got) && fmt.Sprint(want) != fmt.Sprint(got) {
		err = fmt.Errorf("got %v in place of %v", got, want)
	}
	return err
}

// onRoot is want on the root and the zero value elsewhere.
func onRoot[T any](c *Comm, root int, want T) T {
	if c.Rank() == root {
		return want
	}
	return *new(T)
}

// calls are what a script is made of, each with a root and a number of values.
var calls = map[string]func(ctx context.Context, p *script, c *Comm, root, n int) error{
	"barrier": func(ctx context.Context, p *script, c *Comm, root, n int) error { return c.Barrier(ctx) },
	"bcast": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		got, err := Bcast(ctx, c, p.list(c, c.Rank(), n), Root(root))
		return differ(p.list(c, root, n), got, err)
	},
	"bcast into": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		buf := p.list(c, c.Rank(), n)
		err := BcastInto(ctx, c, buf, Root(root))
		return differ(p.list(c, root, n), buf, err)
	},
	"gather": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		got, err := Gather(ctx, c, p.operand(c, c.Rank(), 0), Root(root))
		return differ(onRoot(c, root, p.row(c, 0)), got, err)
	},
	"gather into": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		var want []float64
		for rank := range c.Size() {
			want = append(want, p.list(c, rank, n)...)
		}
		into := onRoot(c, root, make([]float64, len(want)))
		err := GatherInto(ctx, c, p.list(c, c.Rank(), n), into, Root(root))
		return differ(onRoot(c, root, want), into, err)
	},
	"gatherv": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		var want []float64
		for rank := range c.Size() {
			want = append(want, p.list(c, rank, n%(rank+2))...)
		}
		got, err := Gatherv(ctx, c, p.list(c, c.Rank(), n%(c.Rank()+2)), Root(root))
		return differ(onRoot(c, root, want), got, err)
	},
	"scatter into": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		var whole []float64
		for rank := range c.Size() {
			whole = append(whole, p.list(c, rank, n)...)
		}
		part := make([]float64, n)
		err := ScatterInto(ctx, c, onRoot(c, root, whole), part, Root(root))
		return differ(p.list(c, c.Rank(), n), part, err)
	},
	"scatter": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		got, err := Scatter(ctx, c, onRoot(c, root, p.list(c, root, c.Size())), Root(root))
		return differ(p.operand(c, root, c.Rank()), got, err)
	},
	"scatterv": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		got, err := Scatterv(ctx, c, onRoot(c, root, p.list(c, root, n)), nil, Root(root))
		shares, _ := cut(p.list(c, root, n), nil, c.Size())
		return differ(shares[c.Rank()], got, err)
	},
	"allgather": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		got, err := Allgather(ctx, c, p.operand(c, c.Rank(), 0))
		return differ(p.row(c, 0), got, err)
	},
	"allgather into": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		into := make([]float64, c.Size())
		err := AllgatherInto(ctx, c, p.list(c, c.Rank(), 1), into)
		return differ(p.row(c, 0), into, err)
	},
	"alltoall": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		got, err := Alltoall(ctx, c, p.list(c, c.Rank(), c.Size()))
		return differ(p.row(c, c.Rank()), got, err)
	},
	"reduce": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		got, err := Reduce(ctx, c, p.operand(c, c.Rank(), 0), Sum, Root(root))
		return differ(onRoot(c, root, summed(p.row(c, 0))), got, err)
	},
	"reduce into": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		buf := p.list(c, c.Rank(), n)
		err := ReduceInto(ctx, c, buf, Sum, Root(root))
		want := p.list(c, c.Rank(), n)
		if c.Rank() == root {
			want = p.summedLists(c, n)
		}
		return differ(want, buf, err)
	},
	"allreduce": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		got, err := Allreduce(ctx, c, p.operand(c, c.Rank(), 0), Sum)
		return differ(summed(p.row(c, 0)), got, err)
	},
	"allreduce into": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		buf := p.list(c, c.Rank(), n)
		err := AllreduceInto(ctx, c, buf, Sum)
		return differ(p.summedLists(c, n), buf, err)
	},
	"reduce scatter": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		got, err := ReduceScatter(ctx, c, p.list(c, c.Rank(), c.Size()), Sum)
		return differ(summed(p.row(c, c.Rank())), got, err)
	},
	"scan": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		got, err := Scan(ctx, c, p.operand(c, c.Rank(), 0), Sum)
		return differ(scanned(p.row(c, 0)[:c.Rank()+1]), got, err)
	},
	"exscan": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		want := 0.0
		if c.Rank() > 0 {
			want = scanned(p.row(c, 0)[:c.Rank()])
		}
		got, err := Exscan(ctx, c, p.operand(c, c.Rank(), 0), Sum)
		return differ(want, got, err)
	},
	"loop": func(ctx context.Context, p *script, c *Comm, root, n int) error {
		list := NewUnorderedList[int](c)
		for i, err := range SplitManaged(ctx, c, numbers(n%50)) {
			if err != nil {
				return err
			}
			list.Append(i)
		}
		got, err := list.Gather(ctx)
		slices.Sort(got)
		return differ(onRoot(c, 0, numbers(n%50)), got, err)
	},
}
