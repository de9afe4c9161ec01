package ame

import (
	"context"
	"time"
)

// fail ends the job on this rank, once: every waiting and every later call
// gets f. It is passed on to the ranks that may not know.
func (j *job) fail(f *failure) { j.failFrom(nil, f) }

// failFrom is fail with what the rank at the other end of l has told.
func (j *job) failFrom(l *link, f *failure) {
	j.mu.Lock()
	if j.failed != nil || j.closed {
		j.mu.Unlock()
		return
	}
	j.failed = f
	close(j.hasFailed)
	for _, b := range j.boxes {
		b.refuse(
			func(*receiver) bool { return true },
			func(r *receiver) error { return j.errorf(opOf(r.kind), f.peer, f) })
	}
	j.spread(l, f)
	host := j.host(f.peer)
	j.mu.Unlock()
	j.log.Warn("job failed", "rank", j.rank, "peer", f.peer, "host", host, "cause", f.text)
}

// spreadTimeout bounds how long a rank that fails tries to tell the others.
const spreadTimeout = time.Second

// spread tells f to the ranks at the other ends of this rank's links but of
// knows, each on its own, because one of them may be the reason and take
// nothing. The caller holds mu.
func (j *job) spread(knows *link, f *failure) {
	body := f.appendTo(nil)
	for dest, l := range j.links {
		if l == nil {
			continue
		}
		if f.reason == reasonLost && l.peer == f.peer {
			l.conn.Close() // ends calls that are in the middle of a write to it
			continue
		}
		j.spreading.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), spreadTimeout)
			defer cancel()
			h := header{kind: kindFail, source: uint32(j.rank), dest: uint32(dest)}
			var err error
			if l != knows {
				err = l.write(ctx, &h, body)
			} else if err = l.lock(ctx); err == nil {
				<-l.writing
			}
			if err != nil { // a call is in the middle of a write that nobody takes
				l.conn.Close()
			}
		})
	}
}
