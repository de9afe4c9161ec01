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
		h := header{kind: kindWhere, comm: id, source: uint32(j.rank), dest: uint32(c.rank), tag: c.theirs.seq}
		if _, t, err := j.put(ctx, &h, c.rank, nil); t != nil || err != nil {
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
	to := int(h.source)
	j.background(func() {
		ctx, cancel := context.WithTimeout(context.Background(), whereTime)
		defer cancel()
		answer, body := now.announcement()
		answer.comm, answer.source, answer.dest, answer.length = h.comm, uint32(j.rank), h.source, uint64(len(body))
		// Without the answer the message lacks a line.
		_, _, _ = j.put(ctx, &answer, to, body)
	})
}
