package ame

import (
	"context"
	"errors"
)

// hotPiece is how much of each operand is folded at once, in bytes: pieces of
// several stay in the cache of a processor from the copy to the fold.
const hotPiece = 64 << 10

// operand is the part of a rank that is to be folded: here, or exposed.
type operand struct {
	Payload
	exposed *exposedPart
	piece   []byte // memory for a piece of that
}

// foldOwn folds what all ranks have for this one, own among it, and puts the
// result there. What others expose is copied piece by piece as it is folded: it
// takes no memory, and less time than a copy of the whole.
func (c *Comm) foldOwn(ctx context.Context, now *round, own Payload, combine Combine) error {
	operands := make([]operand, c.group.size)
	operands[c.group.self].Payload = own
	for _, source := range c.others() {
		o, err := c.awaitOperand(ctx, now, source, own)
		if err != nil {
			return err
		}
		operands[source] = o
	}
	for at := 0; at < len(own.Body); at += hotPiece {
		end := min(at+hotPiece, len(own.Body))
		f := folder{fold: combine.fold(Payload{Format: own.Format, Body: own.Body[at:end]})}
		for source, o := range operands {
			p, err := o.part(at, end)
			if err != nil {
				return c.unreadable(ctx, now, source, err)
			}
			if err := f.add(p); err != nil {
				return c.disagree(now, source, err)
			}
		}
		p, err := f.result()
		if err != nil {
			return c.disagree(now, c.group.size-1, err)
		}
		copy(own.Body[at:end], p.Body)
	}
	return c.release(ctx, now, operands)
}

// awaitOperand waits for the part of a rank, which is to be a vector such as own.
func (c *Comm) awaitOperand(ctx context.Context, now *round, source int, own Payload) (operand, error) {
	rank := c.group.rank(source)
	for {
		a, err := c.receive(ctx, now.part(rank), now)
		if err != nil {
			return operand{}, err
		}
		o := operand{Payload: a.Payload}
		length := len(a.Body)
		if a.exposed {
			var cannot error
			if o.exposed, cannot = c.job.exposed(a); cannot != nil {
				if err := c.answerFetch(ctx, now, rank, cannot); err != nil {
					return operand{}, err
				}
				continue // it comes in another way
			}
			length = o.exposed.length
			o.piece = make([]byte, min(length, hotPiece))
		}
		c.received(a)
		if err := fits(a.Format, length, own.Format, len(own.Body)); err != nil {
			return operand{}, c.disagree(now, source, err)
		}
		return o, nil
	}
}

// part is a piece of an operand.
func (o *operand) part(from, to int) (Payload, error) {
	if o.exposed == nil {
		return Payload{Format: o.Format, Body: o.Body[from:to]}, nil
	}
	piece := o.piece[:to-from]
	return Payload{Format: o.Format, Body: piece}, o.exposed.read(from, piece)
}

// release lets the ranks go on whose parts have been folded.
func (c *Comm) release(ctx context.Context, now *round, operands []operand) error {
	for source, o := range operands {
		switch {
		case o.exposed != nil:
			if err := o.exposed.intact(); err != nil {
				return c.unreadable(ctx, now, source, err)
			}
			if err := c.answerFetch(ctx, now, c.group.rank(source), nil); err != nil {
				return err
			}
		case source != c.group.self:
			c.job.spares.give(o.Body)
		}
	}
	return nil
}

// unreadable is what becomes of a collective when memory of a rank is gone that
// could be read before: that has an error, or is lost, which says more.
func (c *Comm) unreadable(ctx context.Context, now *round, source int, cannot error) error {
	rank := c.group.rank(source)
	err := c.answerFetch(ctx, now, rank, cannot)
	if err == nil {
		_, err = c.receive(ctx, now.part(rank), now)
	}
	if err == nil {
		err = c.job.errorf(now.call.op.String(), rank, errors.Join(errors.New("its memory could be read no more"), cannot))
	}
	return err
}
