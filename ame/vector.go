package ame

import (
	"context"
	"fmt"
)

// Combine folds two vectors of one length element by element; the result goes
// to low. Of the two, low is of the lower ranks.
type Combine func(low, high []byte)

// fold makes a Fold of vectors of the type and length that p has.
func (combine Combine) fold(p Payload) Fold {
	format, length := p.Format, len(p.Body)
	return func(low, high Payload) (Payload, error) {
		for _, q := range []Payload{low, high} {
			if err := q.fits(format, length); err != nil {
				return Payload{}, err
			}
		}
		combine(low.Body, high.Body)
		return low, nil
	}
}

// fits says what keeps p from being a vector of a type and a length in bytes.
func (p Payload) fits(format uint16, length int) error {
	switch {
	case p.Format != format:
		return fmt.Errorf("elements of another type (format %#x in place of %#x)", p.Format, format)
	case len(p.Body) != length:
		return fmt.Errorf("%d bytes in place of %d: the ranks pass different numbers of elements", len(p.Body), length)
	}
	return nil
}

// BcastInto is Bcast of a vector, which comes to lie in the other ranks' p.Body.
// All ranks pass the same format and length.
func (c *Comm) BcastInto(ctx context.Context, which Call, p Payload) error {
	now, err := c.enter(ctx, opBcast, bcastBy(c.group.size), which)
	if err != nil {
		return err
	}
	got, err := c.carry(ctx, now, which.Root, p, p.Body)
	if err == nil && c.group.self != which.Root {
		err = c.place(now, which.Root, got, p)
	}
	return c.finish(now, err)
}

// place puts what a rank has sent where p lies, if it fits there. Of this rank's
// own, and of what has been read there, nothing is left over.
func (c *Comm) place(now *round, source int, got, p Payload) error {
	if err := got.fits(p.Format, len(p.Body)); err != nil {
		return c.disagree(now, source, err)
	}
	if len(got.Body) == 0 || &got.Body[0] == &p.Body[0] {
		return nil
	}
	copy(p.Body, got.Body)
	if source != c.group.self {
		c.job.spares.give(got.Body)
	}
	return nil
}

// GatherInto is Gather of vectors, which come to lie one behind the other in
// the root's into, in the order of the ranks. All ranks pass the same format
// and length; into is Size times as long. What other ranks pass as into is
// ignored.
func (c *Comm) GatherInto(ctx context.Context, which Call, p Payload, into []byte) error {
	now, err := c.enter(ctx, opGather, algorithmLinear, which)
	if err != nil {
		return err
	}
	if which.Root != c.group.self {
		return c.finish(now, c.sendPart(ctx, now, which.Root, p))
	}
	all, err := c.collect(ctx, now, p)
	if err == nil {
		err = c.placeAll(now, all, p.Format, into)
	}
	return c.finish(now, err)
}

// placeAll is place for the payloads of all ranks.
func (c *Comm) placeAll(now *round, all []Payload, format uint16, into []byte) error {
	length := len(into) / len(all)
	for source, got := range all {
		if err := c.place(now, source, got, Payload{Format: format, Body: into[source*length : (source+1)*length]}); err != nil {
			return err
		}
	}
	return nil
}

// AllgatherInto is GatherInto on all ranks.
func (c *Comm) AllgatherInto(ctx context.Context, which Call, p Payload, into []byte) error {
	now, err := c.enter(ctx, opAllgather, algorithmBruck, which)
	if err != nil {
		return err
	}
	all, err := c.gatherAll(ctx, now, p)
	if err == nil {
		err = c.placeAll(now, all, p.Format, into)
	}
	return c.finish(now, err)
}

// ReduceInto is Reduce of vectors; the result comes to lie in the root's p.Body.
// Those of other ranks stay as they are. All ranks pass the same format and
// length.
func (c *Comm) ReduceInto(ctx context.Context, which Call, p Payload, combine Combine) error {
	own := p
	if c.group.self != which.Root {
		own.Body = append([]byte(nil), p.Body...)
	}
	now, err := c.enter(ctx, opReduce, algorithmTree, which)
	if err != nil {
		return err
	}
	got, err := c.foldTo(ctx, now, which.Root, own, combine.fold(p))
	if err == nil && c.group.self == which.Root {
		copy(p.Body, got.Body)
	}
	return c.finish(now, err)
}

// AllreduceInto is ReduceInto on all ranks, which get the same bits. width is
// the size of an element in bytes. After an error p.Body holds anything.
func (c *Comm) AllreduceInto(ctx context.Context, which Call, p Payload, width int, combine Combine) error {
	now, err := c.enter(ctx, opAllreduce, allreduceVectorBy(len(p.Body), c.group.size), which)
	if err != nil {
		return err
	}
	var got Payload
	switch now.call.algorithm {
	case algorithmPairwise:
		return c.finish(now, c.foldPieces(ctx, now, p, width, combine))
	case algorithmDoubling:
		got, err = c.foldDoubling(ctx, now, p, combine.fold(p))
	default:
		if got, err = c.foldTo(ctx, now, 0, p, combine.fold(p)); err == nil {
			got, err = c.carry(ctx, now, 0, got, nil)
		}
	}
	if err == nil {
		copy(p.Body, got.Body)
	}
	return c.finish(now, err)
}

// foldPieces cuts the vectors into a piece for each rank, which folds that of
// all ranks and sends the result to all.
func (c *Comm) foldPieces(ctx context.Context, now *round, p Payload, width int, combine Combine) error {
	size, self := c.group.size, c.group.self
	parts := make([]Payload, size)
	for rank := range parts {
		from, to := share(len(p.Body), width, size, rank)
		parts[rank] = Payload{Format: p.Format, Body: p.Body[from:to]}
	}
	own, err := c.foldScattered(ctx, now, parts, combine.fold(parts[self]))
	if err != nil {
		return err
	}
	all, err := c.gatherAll(ctx, now, own)
	if err != nil {
		return err
	}
	for rank, got := range all {
		if err := c.place(now, rank, got, parts[rank]); err != nil {
			return err
		}
	}
	return nil
}

// share is the piece of a vector of some bytes that falls to a rank.
func share(length, width, size, rank int) (from, to int) {
	n := length / width
	return n * rank / size * width, n * (rank + 1) / size * width
}
