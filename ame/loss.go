package ame

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// lost is what this rank makes of a link that has ended without a bye. Rank 0
// declares the rank at the other end lost, and tells all; without rank 0 the
// others cannot go on.
func (j *job) lost(rank int, cause string) {
	f := &failure{reason: reasonLost, peer: rank, text: cause}
	select {
	case <-j.up:
	default:
		j.fail(f) // a job that is not up, or that has lost rank 0
		return
	}
	if j.mesh.gone(rank) != nil || j.isClosed() || j.failure() != nil {
		return
	}
	j.onLost(rank) // without the lock: it may take its time
	j.mu.Lock()
	// This rank's own calls end first: the others close when they have heard.
	news := !j.closed && j.failed == nil && j.bury(f)
	if news {
		j.tell(nil, rank, &header{kind: kindLost, source: uint32(rank)}, []byte(cause))
	}
	j.mu.Unlock()
	if news {
		j.logLoss(f)
	}
}

// isLost takes note of a loss that rank 0 has declared.
func (j *job) isLost(f *failure) {
	if j.mesh.gone(f.peer) != nil {
		return
	}
	j.onLost(f.peer)
	if j.bury(f) {
		j.logLoss(f)
	}
}

func (j *job) logLoss(f *failure) {
	j.log.Warn("rank lost", "rank", j.rank, "peer", f.peer, "host", j.mesh.host(f.peer), "cause", f.text)
}

// bury notes that a rank is lost, which ends all calls of the communicators
// that it is in. It says whether that is news.
func (j *job) bury(f *failure) bool {
	if _, first := j.mesh.leave(f.peer, f.trouble()); !first {
		return false
	}
	j.matcher.leave(f.peer, f.trouble())
	j.mesh.hears(f.peer) // nothing more to wait for
	if l := j.mesh.to(f.peer); l != nil {
		l.close() // ends calls that are in the middle of a write to it
	}
	return true
}

// left notes that a rank has said bye. When that is rank 0, this rank can
// reach only those to which it has a link of its own.
func (j *job) left(rank int) {
	t := &trouble{rank, ErrLeft}
	askers, first := j.mesh.leave(rank, t)
	if !first {
		return
	}
	j.matcher.leave(rank, t)
	j.mesh.hears(rank)
	for _, asker := range askers {
		j.tellLeft(asker, rank)
	}
	if rank != 0 {
		return
	}
	var near []int
	for _, l := range j.mesh.links() {
		near = append(near, l.peer())
	}
	j.matcher.cutOff(near, t)
}

// answerGone tells a rank that another one has said bye, if that is why it is
// gone. Of a lost one all have been told.
func (j *job) answerGone(to, rank int, gone *trouble) {
	if gone != nil && gone.err == ErrLeft {
		j.tellLeft(to, rank)
	}
}

// tellLeft lets a rank know, from rank 0, that another one has said bye, behind
// what that had to say. One that is gone itself is not told: the lanes of two
// that have both left must not wait for each other. Nor is one that hears of a
// failure, which is why the other one has left.
func (j *job) tellLeft(to, gone int) {
	if j.mesh.gone(to) != nil || j.failure() != nil {
		return
	}
	j.lanes.add(&frame{header: header{kind: kindLeft, source: uint32(gone), dest: uint32(to)}})
}

// tellTime bounds how long a rank tries to tell others what ends their calls.
const tellTime = time.Second

// tell sends news to the ranks at the other ends of this rank's links, each on
// its own, because one of them may take nothing: a link on which a call is in
// the middle of a write that nobody takes is closed, which ends that call. The
// rank that the news is about is not told, its link is closed. The one at the
// other end of knows, if not nil, has told this rank. The caller holds mu.
func (j *job) tell(knows link, about int, news *header, body []byte) {
	news.length = uint64(len(body))
	for _, l := range j.mesh.links() {
		if l.peer() == about {
			l.close()
			continue
		}
		j.telling.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), tellTime)
			defer cancel()
			var err error
			h := *news
			h.dest = uint32(l.peer())
			switch {
			case l == knows:
				err = l.idle(ctx)
			case h.kind == kindLost && j.lanes.behind(&frame{header: h, body: body}):
			default:
				err = l.write(ctx, &h, body)
			}
			if err != nil {
				l.close()
			}
		})
	}
}

// broke is what this rank makes of a link that has ended without a bye, or whose
// other end has vanished.
func (j *job) broke(rank int, cause string, patience time.Duration) {
	if j.rank != 0 && rank != 0 {
		j.pairBroke(rank, cause, patience)
	} else {
		j.lost(rank, cause)
	}
}

// How long a rank waits for rank 0 to say what has become of another one.
const (
	// verdictTime is for one whose system has ended the link: it has ended
	// that to rank 0 at the same time.
	verdictTime = 5 * time.Second

	// vanishedTime is for one that answers no more. Each link finds that out by
	// itself, from 15 to 35 s after the last sign of life.
	vanishedTime = 25 * time.Second
)

// patience returns how long rank 0 may take to know why a link has ended with err.
func patience(err error) time.Duration {
	if errors.Is(err, syscall.ETIMEDOUT) {
		return vanishedTime
	}
	return verdictTime
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
	case <-j.hasFailed:
	case <-ctx.Done():
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
			j.verdict(l.peer(), patience(err))
		} else {
			j.lost(l.peer(), lossText(err)) // unless that is known
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
