package ame

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// Shrink returns a communicator of those ranks of c that are not lost, in the
// order of their ranks in c. Each of them must call it once, whatever it did
// before; those that have closed c, or have left the job, take no part. It waits
// for all others: rank 0 of the job, which need not be in c, decides who is left.
//
// The first call ends c on all ranks: what waits there and every later call but
// Shrink and Close fails with ErrLost. That nothing is lost is no error. A rank
// that is lost while others are in Shrink is left out; one that is lost later
// makes the new communicator fail as it does any other. When ctx ends before
// Shrink returns, the job fails on all ranks.
func (c *Comm) Shrink(ctx context.Context) (*Comm, error) {
	const op = "shrink"
	j := c.job
	if ctx.Err() != nil {
		return nil, j.errorf(op, -1, context.Cause(ctx))
	}
	if c.shrunk.Swap(true) {
		return nil, j.errorf(op, -1, errors.New("this communicator has been shrunk before"))
	}
	answer := j.awaitShrunk(c.id)
	if !j.matcher.revoke(c.id, &trouble{-1, revoked(j.rank)}) {
		return nil, j.errorf(op, -1, ErrClosed)
	}
	if err := c.askForRest(ctx, op); err != nil {
		return nil, err
	}
	select {
	case body := <-answer:
		return c.memberOf(op, body)
	case <-j.mesh.left(0): // never on rank 0
		select {
		case body := <-answer: // which came first
			return c.memberOf(op, body)
		default:
			return nil, j.report(op, j.mesh.gone(0))
		}
	case <-j.hasFailed:
	case <-j.life.Done():
	case <-ctx.Done():
		j.fail(&failure{reason: reasonGaveUp, peer: j.rank, text: fmt.Sprintf("%s: %v", op, context.Cause(ctx))})
	}
	if f := j.failure(); f != nil {
		return nil, j.report(op, f.trouble())
	}
	return nil, j.errorf(op, -1, ErrClosed)
}

// askForRest tells rank 0 that this rank wants what is left of c.
func (c *Comm) askForRest(ctx context.Context, op string) error {
	j := c.job
	ranks := make([]int, c.group.size)
	for number := range ranks {
		ranks[number] = c.group.rank(number)
	}
	if j.rank == 0 {
		return j.shrinks(c.id, 0, ranks)
	}
	h := header{kind: kindShrink, comm: c.id, source: uint32(j.rank)}
	body := appendRanks(nil, ranks)
	h.length = uint64(len(body))
	l, t, err := j.put(context.WithoutCancel(ctx), h, 0, body)
	switch {
	case t != nil:
		return j.report(op, t)
	case err != nil:
		return c.broken(context.WithoutCancel(ctx), op, l, err)
	}
	return nil
}

// revoked is the error of calls on a communicator that a rank has shrunk.
type revoked int

func (r revoked) Error() string {
	return fmt.Sprintf("rank %d has given this communicator up (Shrink), since a rank is lost; only Shrink works on it", int(r))
}

func (r revoked) Is(target error) bool { return target == ErrLost }

// awaitShrunk returns what gets rank 0's answer to a Shrink of this rank.
func (j *job) awaitShrunk(id commID) chan []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	answer := make(chan []byte, 1)
	if j.shrunk == nil {
		j.shrunk = map[commID]chan []byte{}
	}
	j.shrunk[id] = answer
	return answer
}

// isShrunk takes rank 0's answer.
func (j *job) isShrunk(id commID, body []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if answer := j.shrunk[id]; answer != nil {
		delete(j.shrunk, id)
		answer <- body
	}
}

// revoke ends the calls on a communicator that another rank has shrunk. If this
// rank has closed it, it will not call Shrink, and says so.
func (j *job) revoke(id commID, by int) {
	if !j.matcher.revoke(id, &trouble{by, revoked(by)}) {
		j.declines(id)
	}
}

// declines tells rank 0 that this rank takes no part in what is left of a
// communicator.
func (j *job) declines(id commID) {
	if j.rank == 0 {
		j.survivors.decline(id, 0)
		j.settleShrinks()
		return
	}
	h := header{kind: kindShrink, comm: id, source: uint32(j.rank)}
	j.background(func() { _, _, _ = j.put(context.Background(), h, 0, nil) }) // an error means the end of the job
}

// wantsShrink takes, on rank 0, what another rank says: that it wants what is
// left of a communicator, or that it takes no part in it.
func (j *job) wantsShrink(h *header, body []byte) error {
	source := int(h.source)
	if len(body) == 0 {
		j.survivors.decline(h.comm, source)
		j.settleShrinks()
		return nil
	}
	ranks, err := parseRanks(body, j.size)
	if err != nil {
		return fmt.Errorf("%v frame: %w", h.kind, err)
	}
	return j.shrinks(h.comm, source, ranks)
}

// shrinks notes, on rank 0, that a rank wants what is left of a communicator of
// the given ranks. The first one ends it for all.
func (j *job) shrinks(id commID, source int, ranks []int) error {
	done, first, err := j.survivors.ask(id, source, ranks)
	if err != nil {
		return err
	}
	if first {
		for _, rank := range ranks {
			switch {
			case rank == source || j.isGone(rank):
			case rank == 0:
				j.revoke(id, source)
			default:
				j.lanes.queue(&frame{header: header{kind: kindRevoke, comm: id, source: uint32(source), dest: uint32(rank)}})
			}
		}
		j.background(func() { j.tellShrinkWaits(id, done) })
	}
	j.settleShrinks()
	return nil
}

// settleShrinks tells, on rank 0, those who wait for it who is left of a communicator.
func (j *job) settleShrinks() {
	for _, s := range j.survivors.settle(j.isGone) {
		body := appendRanks(binary.BigEndian.AppendUint64(nil, uint64(j.newID())), s.ranks)
		for _, rank := range s.ranks {
			if rank == 0 {
				j.isShrunk(s.id, body)
			} else {
				j.lanes.queue(&frame{body: body, header: header{kind: kindShrunk, comm: s.id, dest: uint32(rank), length: uint64(len(body))}})
			}
		}
	}
}

func (j *job) isGone(rank int) bool { return j.mesh.gone(rank) != nil }

// tellShrinkWaits lets the user know, from rank 0, for whom a Shrink waits.
func (j *job) tellShrinkWaits(id commID, done <-chan struct{}) {
	j.remind(done, func() string {
		missing := j.survivors.missing(id, j.isGone)
		if len(missing) == 0 {
			return ""
		}
		return fmt.Sprintf("Shrink waits for %s, which must call it too", j.named(missing))
	})
}
