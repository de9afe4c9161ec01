package ame

import (
	"context"
	"fmt"
)

// Fold makes one payload of those of two neighbouring groups of ranks, low of
// the lower ones. It may use the memory of what other ranks have sent, not that
// of what this rank has passed. Its result must depend on the two alone. An
// error says that the two do not go together, as when they have different
// lengths; it ends the job.
type Fold func(low, high Payload) (Payload, error)

// Reductions keep the operands in the order of their ranks and bracket them in
// one way: a span of ranks is cut at the largest power of two below its length,
// and what the halves come to is folded. So the result depends on nothing but
// the operands, whatever the root and the algorithm: seven ranks give
// ((01)(23))((45)6).

// span is the ranks of a group from low up to high, which is not in it.
type span struct{ low, high int }

// halves are the parts of a span of two or more ranks.
func (s span) halves() (low, high span) {
	power := 1
	for 2*power < s.high-s.low {
		power *= 2
	}
	cut := s.low + power
	return span{s.low, cut}, span{cut, s.high}
}

// owner is the rank that folds what the halves of s come to: the root if it is
// one of them, so that the result is where it is wanted.
func (s span) owner(root int) int {
	if s.low <= root && root < s.high {
		return root
	}
	return s.low
}

// above returns the spans that a rank's operand goes through, smallest first.
func (s span) above(rank int) []span {
	if s.high-s.low < 2 {
		return nil
	}
	low, high := s.halves()
	if rank >= high.low {
		low = high
	}
	return append(low.above(rank), s)
}

// foldTo folds the payloads of all ranks along a binomial tree and returns the
// result on the root, nothing on the others.
func (c *Comm) foldTo(ctx context.Context, now *round, root int, p Payload, fold Fold) (Payload, error) {
	self := c.group.self
	for _, s := range (span{0, c.group.size}).above(self) {
		if owner := s.owner(root); owner != self {
			return Payload{}, c.sendPart(ctx, now, owner, p)
		}
		low, high := s.halves()
		var err error
		if self < high.low {
			p, err = c.foldPart(ctx, now, high.owner(root), p, fold)
		} else {
			p, err = c.foldPart(ctx, now, low.owner(root), p, fold)
		}
		if err != nil {
			return Payload{}, err
		}
	}
	return p, nil
}

// foldPart waits for the part of a rank and folds it with p.
func (c *Comm) foldPart(ctx context.Context, now *round, source int, p Payload, fold Fold) (Payload, error) {
	q, err := c.awaitPart(ctx, now, source)
	if err != nil {
		return Payload{}, err
	}
	return c.foldWith(now, source, q, p, fold)
}

// foldWith folds what a rank has sent with p, which ranks on the other side of
// it have come to.
func (c *Comm) foldWith(now *round, source int, q, p Payload, fold Fold) (Payload, error) {
	low, high := q, p
	if source > c.group.self {
		low, high = p, q
	}
	folded, err := fold(low, high)
	if err != nil {
		return Payload{}, c.disagree(now, source, err)
	}
	return folded, nil
}

// disagree ends the job because what a rank has sent in a collective is not what
// this rank's call asks for. It asks the other one first from where it has called.
func (c *Comm) disagree(now *round, source int, err error) error {
	rank := c.group.rank(source)
	sends := fmt.Sprintf("what rank %d sends", rank)
	if where := c.whereIs(now, rank); where != "" {
		sends = fmt.Sprintf("what rank %d sends in %s", rank, where)
	}
	f := &failure{reason: reasonMismatch, peer: rank, text: fmt.Sprintf(
		"%s does not go with %s of rank %d: %v", sends, now.where.text(now.call), c.job.rank, err)}
	c.job.fail(f)
	return c.job.report(now.call.op.String(), f.trouble())
}

// folder folds payloads that come in the order of their ranks, with the
// brackets of span.
type folder struct {
	fold  Fold
	parts []Payload
	sizes []int // ranks in each of parts
}

func (f *folder) add(p Payload) error {
	f.parts, f.sizes = append(f.parts, p), append(f.sizes, 1)
	for n := len(f.sizes); n > 1 && f.sizes[n-1] == f.sizes[n-2]; n-- {
		if err := f.merge(); err != nil {
			return err
		}
	}
	return nil
}

// merge folds the last two parts.
func (f *folder) merge() error {
	n := len(f.parts)
	p, err := f.fold(f.parts[n-2], f.parts[n-1])
	if err != nil {
		return err
	}
	f.parts[n-2] = p
	f.sizes[n-2] += f.sizes[n-1]
	f.parts, f.sizes = f.parts[:n-1], f.sizes[:n-1]
	return nil
}

// result is what all parts come to.
func (f *folder) result() (Payload, error) {
	for len(f.parts) > 1 {
		if err := f.merge(); err != nil {
			return Payload{}, err
		}
	}
	return f.parts[0], nil
}
