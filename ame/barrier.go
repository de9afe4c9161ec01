package ame

import (
	"context"
	"encoding/binary"
	"fmt"
)

// barrierWay is how the ranks of a communicator wait for each other otherwise
// than by messages.
type barrierWay interface {
	// pass returns when all ranks have called it for the same round.
	pass(ctx context.Context, c *Comm, now *round) error
}

// Barrier returns on every rank after all ranks have called it. All ranks
// must call it, in the same order as their other collectives on c. After an
// error, a cancelled ctx included, the job has failed on all ranks.
//
// On a communicator that begins with rank 0 of the job and has at most 64 ranks,
// what a rank has sent before a Barrier is ahead of what others send to the same
// rank after it, if both go by way of rank 0. What a rank sends to itself, or over
// a link of a pair's own, has no order with the messages of others.
//
// Ranks that all run on one node meet in memory, on the first 64 communicators
// that have a Barrier and begin with rank 0 of the job. Else, and in the first
// Barrier of a communicator, which finds that out, they meet by messages: of up to
// 64 ranks each sends one to the first rank and gets one back, more of several nodes
// go along a tree.
func (c *Comm) Barrier(ctx context.Context) error {
	if c.barrier != nil {
		now, err := c.enter(ctx, opBarrier, algorithmMemory, Call{})
		if err != nil {
			return err
		}
		return c.finish(now, c.barrier.pass(ctx, c, now))
	}
	now, err := c.enter(ctx, opBarrier, barrierBy(c.group.size, c.oneNode), Call{})
	if err != nil {
		return err
	}
	switch {
	case now.call.algorithm == algorithmTree:
		return c.finish(now, c.treeBarrier(ctx, now))
	case c.group.self == 0:
		return c.finish(now, c.leadBarrier(ctx, now))
	}
	return c.finish(now, c.followBarrier(ctx, now))
}

// leadBarrier is the leader's side of a barrier by messages. Its answer says
// where in memory the communicator meets from then on, if it can.
func (c *Comm) leadBarrier(ctx context.Context, now *round) error {
	if _, err := c.collect(ctx, now, Payload{}, nil); err != nil {
		return err
	}
	var p Payload
	if number, ok := c.job.memory.give(c.group); ok {
		p.Body = binary.BigEndian.AppendUint32(nil, number)
		c.barrier = c.job.memory.barrier(number, c.group.size, 0)
	}
	return c.sendAll(ctx, now, c.others(), p)
}

// followBarrier is the side of the others.
func (c *Comm) followBarrier(ctx context.Context, now *round) error {
	sent := c.job.sent.Load()
	if err := c.sendPart(ctx, now, 0, Payload{}); err != nil {
		return err
	}
	p, err := c.awaitPart(ctx, now, 0)
	if err != nil || len(p.Body) == 0 {
		return err
	}
	if len(p.Body) == 4 {
		c.barrier = c.job.memory.barrier(binary.BigEndian.Uint32(p.Body), c.group.size, sent)
	}
	if c.barrier == nil && c.job.matcher.usable(c.id) == nil {
		return c.job.errorf("barrier", c.group.leader(), fmt.Errorf("sent to meet in memory at %x, which is nowhere", p.Body))
	}
	return nil
}
