package ame

import (
	"context"
	"fmt"
	"slices"
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
	return fits(p.Format, len(p.Body), format, length)
}

func fits(format uint16, length int, wantedFormat uint16, wantedLength int) error {
	switch {
	case format != wantedFormat:
		return fmt.Errorf("elements of another type (format %#x in place of %#x)", format, wantedFormat)
	case length != wantedLength:
		return fmt.Errorf("%d bytes in place of %d: the ranks pass different numbers of elements", length, wantedLength)
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
	c.lay(source, got.Body, p.Body)
	return nil
}

// lay copies what a rank has sent into memory of the same length, unless it lies
// there already.
func (c *Comm) lay(source int, got, into []byte) {
	if len(got) == 0 || &got[0] == &into[0] {
		return
	}
	copy(into, got)
	if source != c.group.self {
		c.job.spares.give(got)
	}
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
	all, err := c.collect(ctx, now, p, into)
	if err == nil {
		for source, got := range all {
			if err = c.place(now, source, got, Payload{Format: p.Format, Body: shareOf(into, len(all), source)}); err != nil {
				break
			}
		}
	}
	return c.finish(now, err)
}

// ScatterInto is Scatter of parts that come to lie in the rank's into, where they
// have as many bytes: then that is the body of the payload that it returns.
func (c *Comm) ScatterInto(ctx context.Context, which Call, parts []Payload, into []byte) (Payload, error) {
	now, err := c.enter(ctx, opScatter, algorithmLinear, which)
	if err != nil {
		return Payload{}, err
	}
	got, err := c.share(ctx, now, which.Root, parts, into)
	if err == nil && len(got.Body) == len(into) {
		c.lay(which.Root, got.Body, into)
		got.Body = into
	}
	return got, c.finish(now, err)
}

// AllgatherInto is GatherInto on all ranks.
func (c *Comm) AllgatherInto(ctx context.Context, which Call, p Payload, into []byte) error {
	now, err := c.enter(ctx, opAllgather, allgatherVectorBy(len(p.Body), c.group.size), which)
	if err != nil {
		return err
	}
	places := make([][]byte, c.group.size)
	for rank := range places {
		places[rank] = shareOf(into, c.group.size, rank)
	}
	return c.finish(now, c.gatherInto(ctx, now, p, places))
}

// gatherInto puts the vectors of all ranks where each has its place.
func (c *Comm) gatherInto(ctx context.Context, now *round, own Payload, places [][]byte) error {
	var all []Payload
	var err error
	if now.call.algorithm == algorithmPairwise {
		all, err = c.exchangeAll(ctx, now, slices.Repeat([]Payload{own}, c.group.size), places)
	} else {
		all, err = c.gatherAll(ctx, now, own)
	}
	if err != nil {
		return err
	}
	for rank, got := range all {
		if err := c.place(now, rank, got, Payload{Format: own.Format, Body: places[rank]}); err != nil {
			return err
		}
	}
	return nil
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
	parts, places := make([]Payload, size), make([][]byte, size)
	for rank := range parts {
		from, to := pieceOf(len(p.Body), width, size, rank)
		places[rank] = p.Body[from:to]
		parts[rank] = Payload{Format: p.Format, Body: places[rank]}
	}
	err := whileSending(len(p.Body), func() error {
		return c.sendEach(ctx, now, c.othersFrom(), func(dest int) Payload { return parts[dest] })
	}, func() error {
		return c.foldOwn(ctx, now, parts[self], combine)
	})
	if err != nil {
		return err
	}
	return c.gatherInto(ctx, now, parts[self], places)
}

// pieceOf is the piece of a vector of some bytes that falls to a rank.
func pieceOf(length, width, size, rank int) (from, to int) {
	n := length / width
	return n * rank / size * width, n * (rank + 1) / size * width
}
