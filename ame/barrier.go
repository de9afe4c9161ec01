package ame

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Barrier returns on every rank after all ranks have called it. All ranks
// must call it, in the same order as their other collectives on c. After an
// error, a cancelled ctx included, the job has failed on all ranks.
//
// What a rank has sent before a Barrier is ahead of what others send to the same
// rank after it, but for what that one sends to itself.
//
// Ranks that all run on one node meet in memory, on the first 64 communicators
// that have a Barrier. Else, and in the first Barrier of a communicator, which
// finds that out, they meet by messages.
func (c *Comm) Barrier(ctx context.Context) error {
	seq, err := c.start(kindBarrier)
	if err != nil {
		return err
	}
	switch {
	case c.shared != nil:
		err = c.meet(ctx, seq)
	case c.job.rank == 0:
		err = c.rootBarrier(ctx, seq)
	default:
		err = c.memberBarrier(ctx, seq)
	}
	return c.finish(kindBarrier, err)
}

// rootBarrier is rank 0's side of a barrier by messages. Its answer says where
// in memory the communicator meets from then on, if it can.
func (c *Comm) rootBarrier(ctx context.Context, seq uint32) error {
	if _, err := c.collect(ctx, kindBarrier, seq, Payload{}); err != nil {
		return err
	}
	j := c.job
	j.mu.Lock()
	var p Payload
	if number, ok := j.segment.give(); ok {
		p.Body = binary.BigEndian.AppendUint32(nil, number)
		c.shared = j.segment.barrier(number)
	}
	j.mu.Unlock()
	return c.spreadOut(ctx, kindBarrier, seq, p)
}

// memberBarrier is the side of the others.
func (c *Comm) memberBarrier(ctx context.Context, seq uint32) error {
	sent := c.job.sent.Load()
	if err := c.sendPart(ctx, kindBarrier, seq, 0, Payload{}); err != nil {
		return err
	}
	c.flushed = sent
	a, err := c.receive(ctx, pattern{kind: kindBarrier, source: 0, tag: int(seq)})
	if err != nil || len(a.Body) == 0 {
		return err
	}
	j := c.job
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := c.usable("barrier"); err != nil {
		return err
	}
	if len(a.Body) != 4 || binary.BigEndian.Uint32(a.Body) >= maxShared || j.segment == nil {
		return j.errorf("barrier", 0, fmt.Errorf("sent to meet in memory at %x, which is nowhere", a.Body))
	}
	c.shared = j.segment.barrier(binary.BigEndian.Uint32(a.Body))
	return nil
}

// meet is a barrier in memory. Who waits longer sleeps in receive, so that a
// rank that is lost, leaves, fails or is in another collective ends it.
func (c *Comm) meet(ctx context.Context, seq uint32) error {
	j := c.job
	if ctx.Err() != nil {
		return j.errorf("barrier", -1, context.Cause(ctx))
	}
	j.mu.Lock()
	err := c.usable("barrier")
	if err != nil {
		j.mu.Unlock()
		return err
	}
	history := j.box(c.id).round.digest
	j.meetings.Add(1)
	defer j.meetings.Done()
	j.mu.Unlock()
	if j.rank == 0 {
		return c.rootMeet(ctx, seq, history)
	}
	return c.memberMeet(ctx, seq, history)
}

// memberMeet enters, wakes rank 0 if need be, and waits for it. A rank that has
// sent messages since its last barrier sends its part behind them, so that
// rank 0 has read and forwarded them before anyone leaves. It leaves the
// processor to rank 0 then.
func (c *Comm) memberMeet(ctx context.Context, seq, history uint32) error {
	j, b := c.job, c.shared
	sent := j.sent.Load()
	report := sent != c.flushed
	c.flushed = sent
	last := b.enter(j.rank, seq, history, report)
	if last && b.release(0) || report {
		if err := c.sendPart(ctx, kindBarrier, seq, 0, Payload{}); err != nil {
			return err
		}
	}
	if b.wait(j.rank, !report) {
		return nil
	}
	_, err := c.receive(ctx, pattern{kind: kindBarrier, source: 0, tag: int(seq)})
	return err
}

// rootMeet enters, waits until all have, and lets the others leave.
func (c *Comm) rootMeet(ctx context.Context, seq, history uint32) error {
	b := c.shared
	heard := map[int]bool{}
	hear := func(source int) error {
		a, err := c.receive(ctx, pattern{kind: kindBarrier, source: source, tag: int(seq), all: true})
		if err != nil {
			return c.nameAbsent(ctx, kindBarrier, b.absent(seq), err)
		}
		heard[a.Source] = true
		return nil
	}

	sleeps := !b.enter(0, seq, history, false) && !b.wait(0, true)
	for sleeps && !b.mayLeave(0) || !b.agreed(seq) {
		// A rank that has not agreed is given away by a frame on its way.
		if err := hear(AnySource); err != nil {
			return err
		}
	}
	for _, rank := range b.reporting(sleeps) {
		if heard[rank] {
			continue
		}
		if err := hear(rank); err != nil {
			return err
		}
	}
	b.entered.Store(0)
	for rank := 1; rank < c.job.size; rank++ {
		if b.release(rank) {
			if err := c.sendPart(ctx, kindBarrier, seq, rank, Payload{}); err != nil {
				return err
			}
		}
	}
	return nil
}
