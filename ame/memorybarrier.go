package ame

import (
	"context"
)

// memoryBarrier is the way to wait for each other of ranks that share memory.
// Who waits longer sleeps until a part of the collective comes, as in a barrier
// by messages, so that a rank that is lost, leaves, fails or is in another
// collective ends it.
type memoryBarrier struct {
	*sharedBarrier
	memory  *memory
	lookout lookout
	flushed uint64 // value of job.sent in the last barrier
}

func (b *memoryBarrier) pass(ctx context.Context, c *Comm, now *round) error {
	if ctx.Err() != nil {
		return c.job.errorf("barrier", -1, context.Cause(ctx))
	}
	if !b.memory.hold() {
		return c.job.errorf("barrier", -1, ErrClosed)
	}
	defer b.memory.letGo()
	if c.group.self == 0 {
		return b.lead(ctx, c, now)
	}
	return b.follow(ctx, c, now)
}

// follow enters, wakes the leader if need be, and waits for it. A rank that has
// sent messages since its last barrier sends its part behind them, so that
// rank 0 has read and relayed them before anyone leaves. It leaves the
// processor to rank 0 then.
func (b *memoryBarrier) follow(ctx context.Context, c *Comm, now *round) error {
	sent := c.job.sent.Load()
	report := sent != b.flushed
	b.flushed = sent
	last := b.enter(c.group.self, now.seq, now.digest, report)
	if last && b.release(0) || report {
		if err := c.sendPart(ctx, now, 0, Payload{}); err != nil {
			return err
		}
	}
	l := &b.lookout
	if report {
		l = nil // rank 0 has the message to read first
	}
	if b.wait(c.group.self, l) {
		return nil
	}
	c.job.matcher.locate(c.id, now.seq)
	_, err := c.awaitPart(ctx, now, 0)
	return err
}

// lead enters, waits until all have, and lets the others leave.
func (b *memoryBarrier) lead(ctx context.Context, c *Comm, now *round) error {
	var heard map[int]bool
	hear := func(p pattern) error {
		p.every = true
		a, err := c.receive(ctx, p, now)
		if err != nil {
			return c.nameAbsent(ctx, now, c.group.ranksOf(b.absent(now.seq)), err)
		}
		if heard == nil {
			heard = map[int]bool{}
		}
		heard[a.Source] = true
		c.received(a)
		return nil
	}

	sleeps := !b.enter(0, now.seq, now.digest, false) && !b.wait(0, &b.lookout)
	for sleeps && !b.mayLeave(0) || !b.agreed(now.seq) {
		c.job.matcher.locate(c.id, now.seq)
		// A rank that has not agreed is given away by a frame on its way.
		if err := hear(now.part(AnySource)); err != nil {
			return err
		}
	}
	for _, rank := range c.group.ranksOf(b.reporting(sleeps)) {
		if heard[rank] {
			continue
		}
		if err := hear(now.part(rank)); err != nil {
			return err
		}
	}
	b.entered.Store(0)
	for number := 1; number < c.group.size; number++ {
		if b.release(number) {
			if err := c.sendPart(ctx, now, number, Payload{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// give returns the number of the next barrier, on rank 0, ok == false if the
// group cannot meet in memory.
func (m *memory) give(g *group) (number uint32, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g.leader() != 0 || g.size == 1 { // one rank alone waits for nobody
		return 0, false
	}
	return m.segment.give()
}

// barrier returns a rank's way to meet at the barrier of that number in a group
// of size ranks, nil if there is none. sent is the value of job.sent before this
// rank was told of it.
func (m *memory) barrier(number uint32, size int, sent uint64) barrierWay {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.segment == nil || number >= maxShared {
		return nil
	}
	return &memoryBarrier{sharedBarrier: m.segment.barrier(number, size), memory: m, lookout: m.segment.lookout, flushed: sent}
}
