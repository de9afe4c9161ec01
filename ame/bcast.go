package ame

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Bcast sends the root's payload to all ranks and returns it on each; what the
// others pass is ignored. All ranks must call Bcast, in the same order as
// their other collectives on c. The root returns when all is on its way, the
// others when it is there. After an error, a cancelled ctx included, the job
// has failed on all ranks.
func (c *Comm) Bcast(ctx context.Context, which Call, p Payload) (Payload, error) {
	now, err := c.enter(ctx, opBcast, bcastBy(c.group.size), which)
	if err != nil {
		return Payload{}, err
	}
	p, err = c.carry(ctx, now, which.Root, p, nil)
	return p, c.finish(now, err)
}

// What the root of a broadcast sends ends with a byte that says how the body
// comes, because the others do not know its length.
const (
	comesHere  = 0 // before this byte
	comesWhole = 1 // by the same way, in the next part
	comesChain = 2 // from rank to rank, in pieces; before this byte its length (8)
)

// carry takes p from the root to all ranks. If into is not nil, the payload has
// as many bytes, and may come to lie there.
func (c *Comm) carry(ctx context.Context, now *round, root int, p Payload, into []byte) (Payload, error) {
	parent, children := c.branch(root)
	isRoot := c.group.self == root
	first := Payload{Format: p.Format}
	if isRoot {
		first.Body = c.announced(p.Body)
	} else {
		var err error
		if first, err = c.awaitPart(ctx, now, parent); err != nil {
			return Payload{}, err
		}
	}
	if err := c.sendAll(ctx, now, children, first); err != nil {
		return Payload{}, err
	}
	body, how, err := first.split()
	if err != nil {
		return Payload{}, c.disagree(now, parent, err)
	}
	switch {
	case how == comesHere && !isRoot:
		p = Payload{Format: first.Format, Body: body}
	case how == comesWhole:
		if !isRoot {
			if p, err = c.awaitPartInto(ctx, now, parent, into); err != nil {
				return Payload{}, err
			}
		}
		err = c.sendAll(ctx, now, children, p)
	case how == comesChain && isRoot:
		err = c.beginChain(ctx, now, p.Body)
	case how == comesChain:
		p = Payload{Format: first.Format}
		p.Body, err = c.chain(ctx, now, root, binary.BigEndian.Uint64(body), into)
	}
	return p, err
}

// announced is the first part of a broadcast.
func (c *Comm) announced(body []byte) []byte {
	switch {
	case len(body) < parallelBody:
		return append(append(make([]byte, 0, len(body)+1), body...), comesHere)
	case chained(len(body), c.group.size, c.oneNode()):
		return append(binary.BigEndian.AppendUint64(nil, uint64(len(body))), comesChain)
	}
	return []byte{comesWhole}
}

// split takes the first part of a broadcast apart.
func (p Payload) split() (body []byte, how byte, err error) {
	n := len(p.Body) - 1
	if n < 0 || p.Body[n] > comesChain || p.Body[n] == comesWhole && n != 0 || p.Body[n] == comesChain && n != 8 {
		return nil, 0, fmt.Errorf("%d bytes that are no beginning of a broadcast", n+1)
	}
	return p.Body[:n:n], p.Body[n], nil
}

// branch is this rank's place on the way of a broadcast from the root: whom it
// hears from, and whom it sends to, the one with the most below it first.
func (c *Comm) branch(root int) (parent int, children []int) {
	size, self := c.group.size, c.group.self
	if bcastBy(size) == algorithmLinear {
		if self == root {
			children = c.others()
		}
		return root, children
	}
	place := (self - root + size) % size
	reach := 1 // the lowest bit of place; of the root, beyond all
	for reach < size && place&reach == 0 {
		reach *= 2
	}
	for step := reach / 2; step > 0; step /= 2 {
		if place+step < size {
			children = append(children, (self+step)%size)
		}
	}
	return (self - reach + 2*size) % size, children
}
