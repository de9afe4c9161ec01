package dlp

import (
	"context"
	"errors"
	"fmt"
)

func checkEmpty(ctx context.Context, c *Comm) error {
	next, last := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	err := errors.Join(Send(ctx, c, []float64{}, next, 0), Send(ctx, c, "", next, 0), Send(ctx, c, struct{}{}, next, 0))
	numbers, s1, err1 := Recv[[]float64](ctx, c, last, 0)
	text, s2, err2 := Recv[string](ctx, c, last, 0)
	_, _, err3 := Recv[struct{}](ctx, c, last, 0)
	return errors.Join(err, err1, err2, err3, want("numbers", []float64{}, numbers), want("text", "", text),
		want("lengths", []int{0, 0}, []int{s1.Bytes, s2.Bytes}))
}

func checkSelf(ctx context.Context, c *Comm) error {
	var got int
	r := Irecv(c, &got, AnySource, 3)
	body := []int{1, 2}
	err := errors.Join(Send(ctx, c, 7, c.Rank(), 3), Send(ctx, c, body, c.Rank(), 4))
	body[0] = 9 // which is this rank's again
	s, err1 := r.Wait(ctx)
	again, _, err2 := Recv[[]int](ctx, c, c.Rank(), 4)
	return errors.Join(err, err1, err2, want("number", 7, got), want("source", c.Rank(), s.Source), want("slice", []int{1, 2}, again))
}

func checkStatus(ctx context.Context, c *Comm) error {
	if c.Rank() > 0 {
		return Send(ctx, c, make([]float64, c.Rank()), 0, 10+c.Rank())
	}
	seen := map[int]bool{}
	for range c.Size() - 1 {
		v, s, err := Recv[[]float64](ctx, c, AnySource, AnyTag)
		if err == nil {
			err = want("status", Status{Source: len(v), Tag: 10 + len(v), Bytes: 8 * len(v)}, s)
		}
		if err != nil {
			return err
		}
		seen[s.Source] = true
	}
	return want("ranks", c.Size()-1, len(seen))
}

// checkOrder sends from all to all, bodies of all lengths.
func checkOrder(ctx context.Context, c *Comm) error {
	const n = 50
	for i := range n {
		for dest := range c.Size() {
			v := make([]int32, 1+i%5*i*100)
			v[0] = int32(i)
			if err := Send(ctx, c, v, dest, 0); err != nil {
				return err
			}
		}
	}
	next := make([]int, c.Size())
	for range n * c.Size() {
		v, s, err := Recv[[]int32](ctx, c, AnySource, 0)
		if err == nil {
			err = want(fmt.Sprint("message of rank ", s.Source), int32(next[s.Source]), v[0])
		}
		if err != nil {
			return err
		}
		next[s.Source]++
	}
	return nil
}

func checkTags(ctx context.Context, c *Comm) error {
	dest, source := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	for _, tag := range []int{1, 2, 1, MaxTag} {
		if err := Send(ctx, c, tag, dest, tag); err != nil {
			return err
		}
	}
	var got []int
	for _, tag := range []int{MaxTag, 2, AnyTag, 1} {
		v, _, err := Recv[int](ctx, c, source, tag)
		if err != nil {
			return err
		}
		got = append(got, v)
	}
	return want("tags", []int{MaxTag, 2, 1, 1}, got)
}

func checkEager(ctx context.Context, c *Comm) error {
	v := make([]byte, 1<<20)
	n := EagerLimit / (len(v) + 128)
	dest, source := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	for i := range n {
		if err := Send(ctx, c, v, dest, i); err != nil {
			return err
		}
	}
	for i := range n {
		if _, _, err := Recv[[]byte](ctx, c, source, i); err != nil {
			return err
		}
	}
	return nil
}

func checkValues(ctx context.Context, c *Comm) error {
	v := outer{In: &inner{Name: "x"}, List: []inner{}, Any: int64(c.Rank()), Map: map[string][]float64{"a": {1}}}
	err := Send(ctx, c, v, (c.Rank()+1)%c.Size(), 0)
	got, _, err1 := Recv[outer](ctx, c, AnySource, 0)
	v.Any = int64((c.Rank() + c.Size() - 1) % c.Size())
	return errors.Join(err, err1, want("value", v, got))
}
