package ame

import (
	"context"
	"time"
)

// whereTime is how long a rank that has found a mismatch waits for the other
// one to say where it is.
const whereTime = 500 * time.Millisecond

// mismatch ends the job because ranks are in different collectives. If it is
// not known from where in the program the other one has called, that is asked
// for first; until the answer is here, this rank neither begins nor goes on with
// another collective, and does not close.
func (j *job) mismatch(id commID, c *conflict) {
	f := &failure{reason: reasonMismatch, peer: c.rank, text: c.text(j.rank, id)}
	if c.theirs.text != "" {
		j.fail(f)
		return
	}
	j.suspects.Store(true)
	if !j.background(func() {
		defer j.fail(f)
		ctx, cancel := context.WithTimeout(context.Background(), whereTime)
		defer cancel()
		if !j.askWhere(ctx, id, c.theirs.call, c.rank, c.theirs.seq) {
			return
		}
		select {
		case <-j.hasFailed: // its answer has shown the mismatch again
		case <-ctx.Done():
		}
	}) {
		j.suspects.Store(false)
	}
}

// askWhere has a rank say from where it has called a collective. It returns false if
// it cannot be asked.
func (j *job) askWhere(ctx context.Context, id commID, which call, rank int, seq uint32) bool {
	h := header{kind: kindWhere, comm: id, call: which, source: uint32(j.rank), dest: uint32(rank), tag: seq}
	_, t, err := j.put(ctx, h, rank, nil)
	return t == nil && err == nil
}

// whereIs returns from where another rank has called the collective that this rank is
// in, "" if it does not say so in time.
func (c *Comm) whereIs(now *round, rank int) string {
	j := c.job
	ctx, cancel := context.WithTimeout(context.Background(), whereTime)
	defer cancel()
	answer := j.matcher.ask(c.id, rank)
	if !j.askWhere(ctx, c.id, now.call, rank, now.seq) {
		return ""
	}
	j.recall() // the answer may come where nobody reads
	select {
	case text := <-answer:
		return text
	case <-j.hasFailed:
	case <-ctx.Done():
	}
	return ""
}

// settle waits until a mismatch that has been found has ended the job, which it
// does not on a rank that closes meanwhile.
func (j *job) settle() {
	if j.suspects.Load() {
		select {
		case <-j.hasFailed:
		case <-j.life.Done():
		}
	}
}

// sayWhere answers a frame of kindWhere with one of kindWaiting, if this rank
// remembers the collective.
func (j *job) sayWhere(h *header) {
	now, ok := j.matcher.round(h.comm, h.tag)
	if !ok {
		return
	}
	comm, to := h.comm, h.source
	j.answer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), whereTime)
		defer cancel()
		answer, body := now.announcement()
		answer.comm, answer.source, answer.dest, answer.length = comm, uint32(j.rank), to, uint64(len(body))
		// Without the answer the message lacks a line.
		_, _, _ = j.put(ctx, answer, int(to), body)
	})
}
