package dlp

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// checkUnbounded sends more than the eager limit before it receives.
func checkUnbounded(ctx context.Context, c *Comm) error {
	v := make([]byte, 1<<20)
	dest, source := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	sends := make([]*Request, 2*EagerLimit>>20)
	for i := range sends {
		sends[i] = Isend(c, v, dest, i)
	}
	for i := range sends {
		if _, _, err := Recv[[]byte](ctx, c, source, i); err != nil {
			return err
		}
	}
	_, err := WaitAll(ctx, sends...)
	return err
}

func checkMixedOrder(ctx context.Context, c *Comm) error {
	const n = 40
	dest, source := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	var sends []*Request
	for i := range n {
		v := make([]int, 1+i*500)
		v[0] = i
		if i%3 == 2 {
			if err := Send(ctx, c, v, dest, 0); err != nil {
				return err
			}
			continue
		}
		sends = append(sends, Isend(c, v, dest, 0))
	}
	got := make([][]int, n)
	var receives []*Request
	for i := range n {
		if i%4 != 3 {
			receives = append(receives, Irecv(c, &got[i], source, 0))
			continue
		}
		if _, err := WaitAll(ctx, receives...); err != nil { // or the Recv might be served by what came before
			return err
		}
		v, _, err := Recv[[]int](ctx, c, source, 0)
		if err != nil {
			return err
		}
		got[i] = v
	}
	if _, err := WaitAll(ctx, slices.Concat(sends, receives)...); err != nil {
		return err
	}
	for i, v := range got {
		if err := want("message", i, v[0]); err != nil {
			return err
		}
	}
	return nil
}

// checkProgress sends what no buffer of the system takes, and its sender does
// nothing before it hears that the others have got it.
func checkProgress(ctx context.Context, c *Comm) error {
	large := make([]byte, 8<<20)
	var sends []*Request
	for dest := range c.Size() {
		sends = append(sends, Isend(c, large, dest, 0))
	}
	for source := range c.Size() {
		v, _, err := Recv[[]byte](ctx, c, source, 0)
		if err == nil {
			err = want("length", len(large), len(v))
		}
		if err == nil {
			err = Send(ctx, c, true, source, 1)
		}
		if err != nil {
			return err
		}
	}
	for dest := range c.Size() {
		if _, _, err := Recv[bool](ctx, c, dest, 1); err != nil {
			return err
		}
	}
	_, err := WaitAll(ctx, sends...)
	return err
}

func checkCompletions(ctx context.Context, c *Comm) error {
	var number int
	var text string
	receives := []*Request{Irecv(c, &number, c.Rank(), 1), nil, Irecv(c, &text, c.Rank(), 2)}
	if err := Send(ctx, c, "two", c.Rank(), 2); err != nil {
		return err
	}
	i, s, err := WaitAny(ctx, receives...)
	err = errors.Join(err, want("first", 2, i), want("tag", 2, s.Tag), want("text", "two", text), Send(ctx, c, 1, c.Rank(), 1))
	i, _, err1 := WaitAny(ctx, receives...)
	_, _, none := WaitAny(ctx, receives...)
	all, err2 := WaitAll(ctx, receives...)
	return errors.Join(err, err1, err2, want("second", 0, i), want("number", 1, number), want("left", errNoneLeft, none),
		want("tags", []int{1, 0, 2}, []int{all[0].Tag, all[1].Tag, all[2].Tag}))
}

func checkProbe(ctx context.Context, c *Comm) error {
	const callers, each = 4, 25
	for i := range callers * each {
		if err := Send(ctx, c, make([]int, i), (c.Rank()+1)%c.Size(), i); err != nil {
			return err
		}
	}
	var mu sync.Mutex
	var found []int
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for caller := range callers {
		wg.Go(func() {
			for range each {
				m, err := Probe(ctx, c, AnySource, AnyTag)
				if err != nil {
					errs[caller] = err
					return
				}
				v, err := Take[[]int](m)
				_, again := Take[[]int](m)
				errs[caller] = errors.Join(errs[caller], err, want("length", m.Status().Tag, len(v)),
					want("bytes", 8*len(v), m.Status().Bytes), want("again", true, errors.Is(again, errTaken)))
				mu.Lock()
				found = append(found, len(v))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(found)
	return errors.Join(append(errs, want("found", numbers(callers*each), found))...)
}

func checkCancel(ctx context.Context, c *Comm) error {
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err1 := Recv[int](over, c, AnySource, 5)
	_, err2 := Probe(over, c, c.Rank(), 5)
	v := -1
	r := Irecv(c, &v, AnySource, 5)
	_, err3 := r.Wait(over)
	ended := []bool{errors.Is(err1, context.Canceled), errors.Is(err2, context.Canceled), errors.Is(err3, context.Canceled)}
	err := errors.Join(want("ended", []bool{true, true, true}, ended), want("cancelled", true, r.Cancel()), want("again", true, r.Cancel()))
	_, err4 := r.Wait(ctx)
	err = errors.Join(err, want("its error", true, errors.Is(err4, context.Canceled)), c.Barrier(ctx))
	err = errors.Join(err, Send(ctx, c, 8, (c.Rank()+1)%c.Size(), 5))
	got, _, err5 := Recv[int](ctx, c, AnySource, 5)
	return errors.Join(err, err5, want("value", 8, got), want("place of the cancelled one", -1, v))
}

// checkRing exchanges more than any buffer takes.
func checkRing(ctx context.Context, c *Comm) error {
	dest, source := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	v := slices.Repeat([]int64{int64(c.Rank())}, 2<<20)
	got, s, err := SendRecv(ctx, c, v, dest, 1, source, 1)
	if err != nil {
		return err
	}
	return errors.Join(want("status", Status{source, 1, 16 << 20}, s), want("first", int64(source), got[0]), want("length", len(v), len(got)))
}
