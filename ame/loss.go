package ame

import (
	"context"
	"time"
)

// lost is what this rank makes of a link that has ended without a bye. Rank 0
// declares the rank at the other end lost, and tells all; without rank 0 the
// others cannot go on.
func (j *job) lost(rank int, cause string) {
	f := &failure{reason: reasonLost, peer: rank, text: cause}
	if !isClosed(j.up) {
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
		j.tellLost(f)
	}
	j.mu.Unlock()
	if news {
		j.logLoss(f)
		j.settleShrinks()
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
	j.bodies.remove(uint32(f.peer))
	j.mesh.hears(f.peer)                  // nothing more to wait for
	if l := j.mesh.to(f.peer); l != nil { // calls in the middle of a write to it end
		if j.rank == 0 {
			j.dismiss(l, f)
		} else {
			l.close()
		}
	}
	return true
}

// dismiss closes the link to a rank that is lost, and lets it know, if it lives
// after all and its link can take that. The caller holds mu.
func (j *job) dismiss(l link, f *failure) {
	text := []byte(f.text)
	l.dismiss(j.telling.Go, header{
		kind: kindLost, source: uint32(l.peer()), dest: uint32(l.peer()), length: uint64(len(text)),
	}, text)
}

// left notes that a rank has said bye. When that is rank 0, which does so when all
// others have gone or the job has failed, this rank can reach only those to which it has a link of its own.
func (j *job) left(rank int) {
	t := &trouble{rank, ErrLeft}
	askers, first := j.mesh.leave(rank, t)
	if !first {
		return
	}
	j.matcher.leave(rank, t)
	j.mesh.hears(rank)
	j.settleShrinks()
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

// rootOnlyRelays notes that rank 0 has closed, and that there is still a way by
// it to the others.
func (j *job) rootOnlyRelays() {
	t := &trouble{0, ErrLeft}
	j.mesh.closeRoot(t)
	j.matcher.leave(0, t)
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

// tellLost lets all others know, from rank 0, that a rank is lost, behind what
// waits for them. It may take each of them its time: one that takes nothing is
// not lost for that. The caller holds mu.
func (j *job) tellLost(f *failure) {
	text := []byte(f.text)
	for _, l := range j.mesh.links() {
		if j.mesh.gone(l.peer()) == nil {
			j.lanes.queue(&frame{body: text, header: header{
				kind: kindLost, source: uint32(f.peer), dest: uint32(l.peer()), length: uint64(len(text)),
			}})
		}
	}
}

// tellTime bounds how long a rank tries to tell others what ends their calls.
const tellTime = time.Second

// tell sends a failure of the job to the ranks at the other ends of this rank's
// links, each on its own, because one of them may take nothing: a link on which a
// call is in the middle of a write that nobody takes is closed, which ends that
// call. The rank that the news is about is not told, its link is closed. The one
// at the other end of knows, if not nil, has told this rank. The caller holds mu.
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
			if l == knows {
				err = l.idle(ctx)
			} else {
				h := *news
				h.dest = uint32(l.peer())
				err = l.write(ctx, h, body)
			}
			if err != nil {
				l.close()
			}
		})
	}
}
