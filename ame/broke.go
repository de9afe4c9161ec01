package ame

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// What becomes of a link that has ended without a bye.

// broke is what this rank makes of a link that has ended without a bye, by an
// error or, if err is nil, because the other end shows no sign of life.
func (j *job) broke(l link, cause string, err error) {
	p, pair := l.(*pairLink)
	switch {
	case pair && p.inMemory():
		j.memoryBroke(p, cause, j.patience(err))
	case pair && err == nil:
		p.breaks(cause) // its pump comes here, too
	case pair:
		j.pairBroke(p)
	case err != nil:
		j.lost(l.peer(), cause+ownOutput+j.absence())
	default:
		j.lost(l.peer(), cause)
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

// pairBroke is broke of a link between two others than rank 0, on which nothing
// more is read. Mostly the other rank is gone; rank 0 knows. If it is not, it
// sends by way of rank 0 what this one does not have. One end finds out by itself
// that the link has ended, the other one by that or by this message.
func (j *job) pairBroke(p *pairLink) {
	p.frames.giveUp()
	j.mesh.returns(p)
	j.background(func() {
		j.tellsLeft(p.rank)
		h := header{kind: kindResume, source: uint32(j.rank), dest: uint32(p.rank), length: 8}
		_ = j.mesh.to(0).write(context.Background(), h, binary.BigEndian.AppendUint64(nil, p.got.Load())) // without rank 0 all is over
	})
}

// hearResume takes how many frames another rank has got over its link to this one,
// which has ended there.
func (j *job) hearResume(rank int, body []byte) error {
	count, err := parseCount(body)
	if err != nil {
		return err
	}
	l, err := j.mesh.noteResume(rank, count)
	if p, ok := l.(*pairLink); ok && err == nil {
		j.goOn(p, count)
	}
	return err
}

// goOn sends by way of rank 0 from now on, as the other rank does.
func (j *job) goOn(p *pairLink, count uint64) {
	if p.inMemory() {
		return // its pump knows what that means
	}
	p.going.Do(func() {
		j.pumps.Go(func() {
			if err := p.resume(count); err != nil {
				j.fail(&failure{reason: reasonGaveUp, peer: j.rank, text: fmt.Sprintf("its link to rank %d broke: %v", p.rank, err)})
				return
			}
			j.log.Warn("its own link has ended", "rank", j.rank, "peer", p.rank, "host", j.mesh.host(p.rank), "cause", p.cause,
				"consequence", "messages go by way of rank 0")
		})
	})
}

// alive takes a sign of life, which on a link of a pair says how many frames the
// other end has.
func (j *job) alive(l link, body []byte) error {
	p, ok := l.(*pairLink)
	if !ok {
		return nil
	}
	count, err := parseCount(body)
	if err == nil {
		err = p.has(count)
	}
	return err
}

// memoryBroke is broke of a link of a pair that is in memory, whose frames are
// not kept: they end with a process. If the other rank is not gone, frames may be
// missing, and the job ends.
func (j *job) memoryBroke(p *pairLink, cause string, patience time.Duration) {
	j.background(func() {
		if j.verdict(p.rank, patience); j.mesh.gone(p.rank) == nil {
			j.fail(&failure{reason: reasonGaveUp, peer: j.rank, text: fmt.Sprintf("its link to rank %d broke: %s", p.rank, cause)})
		}
	})
}

// verdict waits until it is known what has become of a rank whose link has
// ended, but not for longer than patience.
func (j *job) verdict(rank int, patience time.Duration) {
	ctx, cancel := context.WithTimeout(j.life, patience)
	defer cancel()
	if j.rank != 0 && rank != 0 {
		j.tellsLeft(rank)
	}
	select {
	case <-j.mesh.left(rank):
	case <-j.mesh.left(0): // it says nothing more
	case <-j.hasFailed:
	case <-ctx.Done():
	}
}

// tellsLeft asks rank 0 to say when another rank has said bye.
func (j *job) tellsLeft(rank int) {
	h := header{kind: kindWaiting, source: uint32(j.rank), dest: uint32(rank)}
	if root := j.mesh.to(0); root != nil {
		// A Close meanwhile must not cut the frame in two.
		asking, cancel := context.WithTimeout(context.Background(), tellTime)
		defer cancel()
		_ = root.write(asking, h, nil)
	}
}

// pairLeft notes that a rank has said bye on the link that this one has to it.
// Mostly that is the end of its program, but it may have heard of a loss that
// this rank has yet to hear of from rank 0. So rank 0 has the first word.
func (j *job) pairLeft(l link) {
	rank := l.peer()
	if !j.isClosed() { // the other end is to know that nothing is missing; it hears a bye of this one, too
		h := header{kind: kindHeartbeat, source: uint32(j.rank), dest: uint32(rank)}
		ctx, cancel := context.WithTimeout(context.Background(), tellTime)
		defer cancel()
		_ = l.write(ctx, h, nil)
	}
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
