package ame

import (
	"context"
	"errors"
)

// chunk is the length, in bytes, of the pieces in which a longer body is
// written. Between two of them, other frames get onto the link.
const chunk = 1 << 20

// put writes a frame with its body towards a rank, or returns why there is no
// way to it. The link is the one that was used. An error is as of link.write;
// once a part of the frame is on its way, it is never unsent.
//
// Bodies to one rank leave one after the other, and on rank 0 behind those that
// it relays. What has none, and so belongs to no order, passes them, but for the
// frame that says that nothing more comes.
func (j *job) put(ctx context.Context, h header, rank int, body []byte) (link, *trouble, error) {
	if h.kind.carriesData() || h.kind == kindClosed {
		sending, open := j.mesh.sending(rank)
		if err := sending.take(ctx); err != nil {
			return nil, nil, err
		}
		defer sending.release()
		if !j.lanes.pass(ctx, rank) {
			return nil, nil, unsent{context.Cause(ctx)}
		}
		if open {
			j.background(func() { j.pairing.open(rank) })
		}
	}
	l, t := j.mesh.route(rank)
	if t != nil {
		return nil, t, nil
	}
	if h.kind.counts() {
		j.waits.sent.Add(1)
	}
	var err error
	if len(body) <= chunk {
		err = l.write(ctx, h, body)
	} else {
		err = writeChunks(ctx, l, h, body)
	}
	if len(body) >= lentBody {
		l.bodiesMayChange()
	}
	return l, nil, err
}

// notSent is the error of a send of which put has said why it did nothing.
func (c *Comm) notSent(ctx context.Context, op string, l link, t *trouble, err error) error {
	j := c.job
	if t != nil {
		if first := j.matcher.usable(c.id); first != nil {
			t = first // a failure of the job, after which the rank has closed
		}
		return j.report(op, t)
	}
	if unfinished := (unsent{}); errors.As(err, &unfinished) {
		return j.errorf(op, -1, unfinished.error)
	}
	return c.broken(ctx, op, l, err)
}

func writeChunks(ctx context.Context, l link, h header, body []byte) error {
	first := h
	first.flags |= flagChunked
	if err := l.write(ctx, first, nil); err != nil {
		return err
	}
	for len(body) > 0 {
		n := min(len(body), chunk)
		piece := header{kind: kindChunk, comm: h.comm, source: h.source, dest: h.dest, length: uint64(n)}
		err := l.write(ctx, piece, body[:n])
		if late, ok := err.(unsent); ok {
			err = late.error
		}
		if err != nil {
			return err
		}
		body = body[n:]
	}
	return nil
}
