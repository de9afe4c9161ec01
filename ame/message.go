package ame

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// MaxTag is the largest tag of a message.
const MaxTag = math.MaxInt32

// Send sends p to rank dest with a tag from 0 to MaxTag. It returns when the
// system has taken the message, which says nothing about its receipt; the
// body may be changed then. Messages between two ranks on one communicator
// arrive in the order of their calls. A message to this rank itself is
// delivered at once.
//
// Send does not wait for a Recv as long as less than EagerLimit bytes of what
// this rank has sent to dest on c are not received. Then it does, until the
// other rank has received more, is lost, or has closed. What a rank has not received
// when it closes c is dropped; what comes later is, too, and then later Sends to it
// fail with ErrLeft, and so does Close of c.
//
// When ctx ends before the message has begun to leave, that harms nothing. When
// it ends in the middle, the job fails on all ranks, because a part of the
// message is on its way.
func (c *Comm) Send(ctx context.Context, dest, tag int, p Payload) error {
	h, err := c.message(dest, tag, p)
	if err != nil {
		return err
	}
	rank := c.group.rank(dest)
	if rank == c.job.rank {
		return c.send(ctx, &h, rank, p.Body)
	}
	return c.sendCounted(ctx, nil, &h, rank, p.Body)
}

// Post is Send that never waits for a Recv: for a protocol that keeps what is
// not received within bounds of its own. Messages of Post may overtake those of
// a Send that waits.
func (c *Comm) Post(ctx context.Context, dest, tag int, p Payload) error {
	h, err := c.message(dest, tag, p)
	if err != nil {
		return err
	}
	return c.send(ctx, &h, c.group.rank(dest), p.Body)
}

// message is the header of a message, but for its addresses.
func (c *Comm) message(dest, tag int, p Payload) (header, error) {
	if err := c.checkRank("send", dest); err != nil {
		return header{}, err
	}
	if tag < 0 || tag > MaxTag {
		return header{}, c.job.errorf("send", -1, fmt.Errorf("tag %d is not in 0..%d", tag, MaxTag))
	}
	return header{kind: kindMessage, tag: uint32(tag), format: p.Format}, nil
}

func (c *Comm) checkRank(op string, rank int) error {
	if rank < 0 || rank >= c.group.size {
		return c.job.errorf(op, -1, fmt.Errorf("no rank %d in a communicator of %d", rank, c.group.size))
	}
	return nil
}

// opName names the call that sends h.
func (h *header) opName() string {
	if h.call.op != 0 {
		return h.call.op.String()
	}
	return "send"
}

// send fills in the addresses of h and writes it towards a rank of the job.
func (c *Comm) send(ctx context.Context, h *header, rank int, body []byte) error {
	j := c.job
	h.comm, h.source, h.dest, h.length = c.id, uint32(j.rank), uint32(rank), uint64(len(body))
	if ctx.Err() != nil {
		return j.errorf(h.opName(), -1, context.Cause(ctx))
	}
	if t := j.matcher.usable(c.id); t != nil {
		return j.report(h.opName(), t)
	}
	if rank == j.rank {
		j.deliver(h, append([]byte(nil), body...))
		return nil
	}
	l, t, err := j.put(ctx, *h, rank, body)
	if t != nil || err != nil {
		return c.notSent(ctx, h.opName(), l, t, err)
	}
	if h.kind == kindMessage {
		j.sent.Add(1)
	}
	return nil
}

// Recv returns the first message, in order of arrival, from the given source
// and with the given tag; AnySource and AnyTag match all. It waits until
// there is one. The body is the caller's. A cancelled Recv takes nothing
// and harms nothing. Recv from a rank that is lost, or has closed, is an error
// once what it sent before is received.
func (c *Comm) Recv(ctx context.Context, source, tag int) (Message, error) {
	p, err := c.patternOf(source, tag)
	if err != nil {
		return Message{}, err
	}
	a, err := c.receive(ctx, p, nil)
	if err != nil {
		return Message{}, err
	}
	return c.messageOf(a)
}

// TryRecv is Recv of what has arrived already; ok is false if nothing has.
// Since it never waits, it does not keep other calls from reading by
// themselves.
func (c *Comm) TryRecv(source, tag int) (m Message, ok bool, err error) {
	p, err := c.patternOf(source, tag)
	if err != nil {
		return m, false, err
	}
	a := c.job.matcher.take(c.id, p)
	if a == nil {
		return m, false, nil
	}
	m, err = c.messageOf(a)
	return m, err == nil, err
}

// patternOf is what a Recv waits for.
func (c *Comm) patternOf(source, tag int) (pattern, error) {
	rank := AnySource
	if source != AnySource {
		if err := c.checkRank("recv", source); err != nil {
			return pattern{}, err
		}
		rank = c.group.rank(source)
	}
	if tag != AnyTag && (tag < 0 || tag > MaxTag) {
		return pattern{}, c.job.errorf("recv", -1, fmt.Errorf("tag %d is not in 0..%d", tag, MaxTag))
	}
	return pattern{kind: kindMessage, source: rank, tag: tag}, nil
}

// messageOf is an arrival with its source's number in the communicator.
func (c *Comm) messageOf(a *arrival) (Message, error) {
	c.received(a)
	m := a.Message
	number, ok := c.group.number(m.Source)
	if !ok {
		return Message{}, c.job.errorf("recv", m.Source, errors.New("sent a message on a communicator that it is not in"))
	}
	m.Source = number
	return m, nil
}

// receive waits for an arrival; now is the collective that it is a part of.
func (c *Comm) receive(ctx context.Context, p pattern, now *round) (*arrival, error) {
	j := c.job
	var via *token
	reads := false
	l := j.readable(p.source)
	if l != nil {
		via = l.reading()
		reads = via.try()
	}
	a, r, t := j.matcher.expect(c.id, p, via, reads)
	if reads && (r == nil || j.readAs(l, r)) {
		via.put()
	}
	if r == nil {
		if t != nil {
			return nil, j.report(p.opName(), now.explain(t))
		}
		return a, nil
	}
	if reads {
		j.matcher.sleep(r)
	}
	if j.matcher.sleepers.Load() > 0 {
		j.recall() // whoever sleeps needs the owners to read
	}
	return c.outcome(ctx, r, now)
}

// outcome waits for that of r, whose call is over then.
func (c *Comm) outcome(ctx context.Context, r *receiver, now *round) (*arrival, error) {
	j, op := c.job, r.opName()
	out, err := c.await(ctx, r, now)
	j.matcher.release(r)
	switch {
	case err != nil:
		return nil, j.errorf(op, -1, err)
	case out.trouble != nil:
		return nil, j.report(op, now.explain(out.trouble))
	}
	return out.arrival, nil
}

// await blocks until r has its outcome or ctx ends.
func (c *Comm) await(ctx context.Context, r *receiver, now *round) (outcome, error) {
	var late <-chan time.Time
	if len(r.done) == 0 {
		timer := time.NewTimer(announceAfter)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case out := <-r.done:
			return out, nil
		case <-late:
			c.askClosed(r.pattern)
			defer c.entersWait(ctx, r.pattern, now)()
			if !c.announces(r.pattern) {
				continue
			}
			if now != nil {
				c.announce(ctx, r.pattern, now)
				continue
			}
			// A frame that the end of ctx cuts off would break the link, and a
			// Recv may be cancelled.
			p := r.pattern
			c.job.background(func() { c.announce(context.Background(), p, nil) })
		case <-ctx.Done():
			if c.job.matcher.cancel(c.id, r) {
				return outcome{}, context.Cause(ctx)
			}
			return <-r.done, nil // it came at the same moment
		}
	}
}
