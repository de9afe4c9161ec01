package ame

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// What becomes of a link that has ended without a bye.

// broke is what this rank makes of a link that has ended without a bye, by an
// error or, if err is nil, because the other end shows no sign of life.
func (j *job) broke(rank int, cause string, err error) {
	switch {
	case j.rank != 0 && rank != 0:
		j.pairBroke(rank, cause, j.patience(err))
	case err != nil:
		j.lost(rank, cause+ownOutput+j.absence())
	default:
		j.lost(rank, cause)
	}
}

// How long a rank waits for rank 0 to say what has become of another one.
const (
	// verdictTime is for one whose system has ended the link: it has ended
	// that to rank 0 at the same time.
	verdictTime = 5 * time.Second

	// vanishedTime is for one that answers the system no more. Each link finds
	// that out by itself, from 15 to 35 s after the last sign of life.
	vanishedTime = 25 * time.Second
)

// patience returns how long rank 0 may take to know why a link has ended with
// err: as long as it may take to find that the other rank is silent, and as this
// rank may to find that rank 0 is.
func (j *job) patience(err error) time.Duration {
	d := 2 * j.limit()
	if errors.Is(err, syscall.ETIMEDOUT) {
		return d + vanishedTime
	}
	return d + verdictTime
}

// pairBroke is broke of a link between two others than rank 0. Mostly the other
// rank is gone; rank 0 knows. If it is not, frames may be lost, and the job ends.
func (j *job) pairBroke(rank int, cause string, patience time.Duration) {
	j.background(func() {
		if j.verdict(rank, patience); j.mesh.gone(rank) == nil {
			j.fail(&failure{reason: reasonGaveUp, peer: j.rank, text: fmt.Sprintf("its link to rank %d broke: %s", rank, cause)})
		}
	})
}

// verdict waits until it is known what has become of a rank whose link has
// ended, but not for longer than patience.
func (j *job) verdict(rank int, patience time.Duration) {
	ctx, cancel := context.WithTimeout(j.life, patience)
	defer cancel()
	if j.rank != 0 && rank != 0 {
		h := header{kind: kindWaiting, source: uint32(j.rank), dest: uint32(rank)}
		if root := j.mesh.to(0); root != nil {
			// A Close meanwhile must not cut the frame in two.
			asking, cancel := context.WithTimeout(context.Background(), tellTime)
			_ = root.write(asking, &h, nil)
			cancel()
		}
	}
	select {
	case <-j.mesh.left(rank):
	case <-j.mesh.left(0): // it says nothing more
	case <-j.hasFailed:
	case <-ctx.Done():
	}
}

// pairLeft notes that a rank has said bye on the link that this one has to it.
// Mostly that is the end of its program, but it may have heard of a loss that
// this rank has yet to hear of from rank 0. So rank 0 has the first word.
func (j *job) pairLeft(rank int) {
	if !j.background(func() {
		j.verdict(rank, j.patience(nil))
		j.left(rank)
	}) {
		j.left(rank)
	}
}

// broken turns the error of an unfinished write of this rank into what the
// caller is told, and the job with it.
func (c *Comm) broken(ctx context.Context, op string, l link, err error) error {
	j := c.job
	if ctx.Err() != nil {
		j.fail(&failure{reason: reasonGaveUp, peer: j.rank, text: fmt.Sprintf("%s: %v", op, context.Cause(ctx))})
		l.close()
	} else {
		select { // its pump may find why the other end has closed it
		case <-l.over():
		case <-time.After(tellTime):
			l.close()
		}
		if j.rank != 0 && l.peer() != 0 {
			j.verdict(l.peer(), j.patience(err))
		} else if j.mesh.gone(l.peer()) == nil { // a bye ends a link, too
			j.lost(l.peer(), lossText(err)+ownOutput+j.absence())
		}
	}
	t := j.matcher.usable(c.id)
	if t == nil {
		t = j.mesh.gone(l.peer())
	}
	if t == nil {
		return j.errorf(op, l.peer(), err)
	}
	return j.report(op, t)
}
