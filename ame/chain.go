package ame

import (
	"bytes"
	"context"
	"fmt"
)

// A long broadcast goes from the root to the next rank, from that to the one
// behind it, and so on, in pieces: while a rank passes one on, the next comes.
// So each connection carries the body once.

// chainPiece is the length of the pieces, in bytes: long enough that the cost
// of a frame does not show, short enough that the last rank does not wait long
// for the first one.
const chainPiece = 256 << 10

// beginChain is the root's part.
func (c *Comm) beginChain(ctx context.Context, now *round, body []byte) error {
	next := (c.group.self + 1) % c.group.size
	for len(body) > 0 {
		n := min(len(body), chainPiece)
		if err := c.sendPart(ctx, now, next, Payload{Body: body[:n]}); err != nil {
			return err
		}
		body = body[n:]
	}
	return nil
}

// chain is the part of another rank. The body lies in into if that has its
// length.
func (c *Comm) chain(ctx context.Context, now *round, root int, length uint64, into []byte) ([]byte, error) {
	size, self := c.group.size, c.group.self
	before, next := (self+size-1)%size, (self+1)%size
	if into != nil && uint64(len(into)) != length {
		return nil, c.disagree(now, root, fmt.Errorf("%d bytes in place of %d", length, len(into)))
	}
	all := body{header: header{length: length}, bytes: into}
	for all.done < length {
		p, err := c.awaitPart(ctx, now, before)
		if err != nil {
			return nil, err
		}
		if uint64(len(p.Body)) != min(chainPiece, length-all.done) {
			return nil, c.disagree(now, before, fmt.Errorf("a piece of %d bytes at %d of %d", len(p.Body), all.done, length))
		}
		if next != root {
			if err := c.sendPart(ctx, now, next, p); err != nil {
				return nil, err
			}
		}
		if err := all.fill(bytes.NewReader(p.Body), all.done+uint64(len(p.Body)), &defaultBounds, nil); err != nil {
			return nil, c.job.errorf(now.call.op.String(), before, err)
		}
		c.job.spares.give(p.Body)
	}
	return all.bytes, nil
}
