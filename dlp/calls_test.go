package dlp

import (
	"context"
	"maps"
	"slices"
)

// given is what a call is given on every rank.
type given[T any] struct {
	value T
	more  int // values beyond one for each rank
	op    func(T, T) T
	root  func(size int) int
	peer  func(c *Comm) int
	tag   int
}

func well[T any](v T) given[T] {
	return given[T]{
		value: v, op: func(a, _ T) T { return a },
		root: func(int) int { return 0 }, peer: (*Comm).Rank,
	}
}

func (g given[T]) values(c *Comm) []T { return slices.Repeat([]T{g.value}, sizeOf(c)+g.more) }
func (g given[T]) to(c *Comm) int {
	if c == nil {
		return 0
	}
	return g.peer(c)
}

type callOf func(ctx context.Context, c *Comm) error

// collectiveCalls are all that take any type.
func collectiveCalls[T any](g given[T]) map[string]callOf {
	root := func(c *Comm) RootOption { return Root(g.root(sizeOf(c))) }
	return map[string]callOf{
		"bcast":   func(ctx context.Context, c *Comm) error { _, err := Bcast(ctx, c, g.value, root(c)); return err },
		"gather":  func(ctx context.Context, c *Comm) error { _, err := Gather(ctx, c, g.value, root(c)); return err },
		"scatter": func(ctx context.Context, c *Comm) error { _, err := Scatter(ctx, c, g.values(c), root(c)); return err },
		"gatherv": func(ctx context.Context, c *Comm) error { _, err := Gatherv(ctx, c, []T{g.value}, root(c)); return err },
		"scatterv": func(ctx context.Context, c *Comm) error {
			_, err := Scatterv(ctx, c, g.values(c), ones(sizeOf(c)), root(c))
			return err
		},
		"allgather": func(ctx context.Context, c *Comm) error { _, err := Allgather(ctx, c, g.value); return err },
		"alltoall":  func(ctx context.Context, c *Comm) error { _, err := Alltoall(ctx, c, g.values(c)); return err },
		"reduce":    func(ctx context.Context, c *Comm) error { _, err := Reduce(ctx, c, g.value, g.op, root(c)); return err },
		"allreduce": func(ctx context.Context, c *Comm) error { _, err := Allreduce(ctx, c, g.value, g.op); return err },
		"scan":      func(ctx context.Context, c *Comm) error { _, err := Scan(ctx, c, g.value, g.op); return err },
		"exscan":    func(ctx context.Context, c *Comm) error { _, err := Exscan(ctx, c, g.value, g.op); return err },
		"reduce scatter": func(ctx context.Context, c *Comm) error {
			_, err := ReduceScatter(ctx, c, g.values(c), g.op)
			return err
		},
		"call on root": func(ctx context.Context, c *Comm) error {
			_, err := CallOnRoot(ctx, c, func() (T, error) { return g.value, nil })
			return err
		},
	}
}

func ones(n int) []int { return slices.Repeat([]int{1}, n) }

// plainCalls take no value, or numbers.
func plainCalls(g given[int]) map[string]callOf {
	root := func(c *Comm) RootOption { return Root(g.root(sizeOf(c))) }
	room := func(c *Comm) []int { return make([]int, sizeOf(c)+g.more) }
	return map[string]callOf{
		"barrier":    func(ctx context.Context, c *Comm) error { return c.Barrier(ctx) },
		"dup":        func(ctx context.Context, c *Comm) error { _, err := c.Dup(ctx); return err },
		"split comm": func(ctx context.Context, c *Comm) error { _, err := c.Split(ctx, 0, 0); return err },
		"split node": func(ctx context.Context, c *Comm) error { _, err := c.SplitNode(ctx); return err },
		"bcast into": func(ctx context.Context, c *Comm) error { return BcastInto(ctx, c, []int{1}, root(c)) },
		"gather into": func(ctx context.Context, c *Comm) error {
			return GatherInto(ctx, c, []int{1}, make([]int, sizeOf(c)), root(c))
		},
		"scatter into": func(ctx context.Context, c *Comm) error {
			return ScatterInto(ctx, c, make([]int, sizeOf(c)), []int{1}, root(c))
		},
		"allgather into": func(ctx context.Context, c *Comm) error { return AllgatherInto(ctx, c, []int{1}, room(c)) },
		"reduce into":    func(ctx context.Context, c *Comm) error { return ReduceInto(ctx, c, []int{1}, g.op, root(c)) },
		"allreduce into": func(ctx context.Context, c *Comm) error { return AllreduceInto(ctx, c, []int{1}, g.op) },
	}
}

// serviceCalls make a Counter or Mutex, and use it.
func serviceCalls() map[string]callOf {
	return map[string]callOf{
		"counter": func(ctx context.Context, c *Comm) error {
			k, err := NewCounter(ctx, c)
			if err == nil {
				_, err = k.NextIndex(ctx)
			}
			return err
		},
		"mutex": func(ctx context.Context, c *Comm) error {
			m, err := NewMutex(ctx, c)
			if err == nil {
				err = m.Lock(ctx)
			}
			if err == nil {
				err = m.Unlock()
			}
			return err
		},
	}
}

// backgroundCalls end by Wait, whose ctx is not theirs.
func backgroundCalls[T any](g given[T]) map[string]callOf {
	return map[string]callOf{
		"ibarrier": func(ctx context.Context, c *Comm) error { _, err := c.Ibarrier().Wait(ctx); return err },
		"iallreduce": func(ctx context.Context, c *Comm) error {
			_, err := Iallreduce(c, g.value, new(T), g.op).Wait(ctx)
			return err
		},
	}
}

// messageCalls send to this rank, or receive what is never sent.
func messageCalls[T any](g given[T], receives bool) map[string]callOf {
	calls := map[string]callOf{
		"send": func(ctx context.Context, c *Comm) error {
			if err := Send(ctx, c, g.value, g.to(c), g.tag); err != nil {
				return err
			}
			_, _, err := Recv[T](ctx, c, g.to(c), g.tag)
			return err
		},
		"isend": func(ctx context.Context, c *Comm) error {
			_, err := Isend(c, g.value, g.to(c), g.tag).Wait(ctx)
			return err
		},
		"send recv": func(ctx context.Context, c *Comm) error {
			_, _, err := SendRecv(ctx, c, g.value, g.to(c), g.tag, g.to(c), g.tag)
			return err
		},
	}
	if receives {
		calls["recv"] = func(ctx context.Context, c *Comm) error { _, _, err := Recv[T](ctx, c, g.to(c), g.tag); return err }
		calls["irecv"] = func(ctx context.Context, c *Comm) error {
			r := Irecv(c, new(T), g.to(c), g.tag)
			defer r.Cancel()
			_, err := r.Wait(ctx)
			return err
		}
	}
	return calls
}

// probeCall is one that takes no type.
func probeCall[T any](g given[T]) map[string]callOf {
	return map[string]callOf{
		"probe": func(ctx context.Context, c *Comm) error { _, err := Probe(ctx, c, g.to(c), g.tag); return err },
	}
}

// loopCalls go over as many items, which work turns into values.
func loopCalls[T any](g given[T], items int) map[string]callOf {
	work := func(context.Context, int) (T, error) { return g.value, nil }
	return map[string]callOf{
		"split": func(ctx context.Context, c *Comm) error { return lastOf(SplitManaged(ctx, c, numbers(items))) },
		"split sequence": func(ctx context.Context, c *Comm) error {
			return lastOf(SplitManagedSeq(ctx, c, slices.Values(numbers(items))))
		},
		"map": func(ctx context.Context, c *Comm) error { return lastOf(MapUnordered(ctx, c, numbers(items), work)) },
		"map sequence": func(ctx context.Context, c *Comm) error {
			return lastOf(MapUnorderedSeq(ctx, c, slices.Values(numbers(items)), work))
		},
	}
}

func lastOf[T any](results func(yield func(T, error) bool)) (err error) {
	for _, e := range results {
		err = e
	}
	return err
}

func together(lists ...map[string]callOf) map[string]callOf {
	all := map[string]callOf{}
	for _, calls := range lists {
		maps.Copy(all, calls)
	}
	return all
}

// without leaves a call out.
func without(name string, calls map[string]callOf) map[string]callOf {
	delete(calls, name)
	return calls
}

// everyCall are all calls, well given.
func everyCall() map[string]callOf {
	g := well(1)
	return together(collectiveCalls(g), plainCalls(g), messageCalls(g, true), probeCall(g), loopCalls(g, 3), serviceCalls())
}
