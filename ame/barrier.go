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
// Ranks that all run on one node meet in memory. Else, and in the first
// Barrier of a communicator, which finds that out, they meet by messages.
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
	if err := c.sendPart(ctx, kindBarrier, seq, 0, Payload{}); err != nil {
		return err
	}
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
	j, b := c.job, c.shared
	if ctx.Err() != nil {
		return j.errorf("barrier", -1, context.Cause(ctx))
	}
	j.mu.Lock()
	err := c.usable("barrier")
	if err == nil {
		j.meetings.Add(1)
		defer j.meetings.Done()
	}
	j.mu.Unlock()
	switch {
	case err != nil:
		return err
	case b.enter(j.rank, seq):
		if b.release(seq) {
			return c.sendPart(ctx, kindBarrier, seq, 0, Payload{})
		}
	case !b.wait(j.rank, seq):
		if err := c.sleep(ctx, seq); err != nil {
			return err
		}
	}
	if j.rank != 0 {
		return nil
	}
	for rank := 1; rank < j.size; rank++ {
		if b.owes(rank, seq) {
			if err := c.sendPart(ctx, kindBarrier, seq, rank, Payload{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// sleep waits for the message that this rank may leave the barrier: from rank
// 0, or on rank 0 from the rank that was the last to enter.
func (c *Comm) sleep(ctx context.Context, seq uint32) error {
	if c.job.rank != 0 {
		_, err := c.receive(ctx, pattern{kind: kindBarrier, source: 0, tag: int(seq)})
		return err
	}
	_, err := c.receive(ctx, pattern{kind: kindBarrier, source: AnySource, tag: int(seq), meeting: c.shared})
	if err == nil {
		return nil
	}
	var absent []int
	for rank := range c.job.size {
		if c.shared.absent(rank, seq) {
			absent = append(absent, rank)
		}
	}
	return c.nameAbsent(ctx, kindBarrier, absent, err)
}
