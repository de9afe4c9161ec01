package ame

import (
	"errors"
	"os"
	"time"
)

// Each link has a goroutine that reads from it, so that frames are taken,
// forwarded and answered, and a lost rank is noticed, whatever the calls of
// this rank do. Waking a call from that goroutine costs about as much as the
// system's part of a short message. So a call that waits for a frame which
// can only come over one link reads from that link itself while it is busy:
// the goroutine lends it the link for as long as such calls come in quick
// succession, and takes it back when they stay away.

const (
	// lendCheck is how often the goroutine looks whether a lent link is
	// still in use; so long may a frame for somebody else lie unread.
	lendCheck = time.Millisecond

	// directWindow is how long a call reads from a link itself before it
	// leaves that to the goroutine and waits in a way that can be cancelled.
	directWindow = 4 * time.Millisecond
)

// read takes frames from l until the connection ends, and hands them on.
func (j *job) read(l *link) {
	defer j.readers.Done()
	for {
		if err := j.readUntilLent(l); err != nil {
			j.ended(l, err)
			return
		}
		for l.used.Swap(false) {
			select {
			case <-l.wanted:
			case <-time.After(lendCheck):
			}
		}
	}
}

// readUntilLent returns nil when a call has got a frame that it could have
// read by itself: it is likely to wait for another one soon.
func (j *job) readUntilLent(l *link) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	for l.err == nil {
		l.setReadDeadline(time.Time{})
		direct, err := j.step(l)
		if direct {
			l.used.Store(true)
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			l.err = err
		}
	}
	return l.err
}

// step reads one frame from l and hands it on, to a call that could have read
// it by itself if direct. The caller holds l.turn.
func (j *job) step(l *link) (direct bool, err error) {
	h, body, err := l.read()
	if err != nil {
		return false, err
	}
	return j.dispatch(l, &h, body)
}

// onlyLink returns the link over which alone a frame from source can come,
// nil if there are several.
func (j *job) onlyLink(source int) *link {
	switch {
	case j.rank != 0:
		return j.links[0]
	case source > 0:
		return j.links[source]
	default:
		return nil
	}
}

// readFor reads frames from the link of r, if that is lent, until r has its
// outcome, for a short time at most. What is to be forwarded it leaves to the
// goroutine, because writing it may block longer than the call may.
func (j *job) readFor(r *receiver) {
	l := r.link
	if l == nil || !l.turn.TryLock() {
		return
	}
	defer l.turn.Unlock()
	if l.err != nil {
		return
	}
	l.used.Store(true)
	if now := time.Now(); l.deadline.Sub(now) < directWindow/2 {
		l.setReadDeadline(now.Add(directWindow))
	}
	for l.err == nil && len(r.done) == 0 {
		err := l.next()
		if err == nil && int64(l.partial.dest) != int64(j.rank) {
			l.giveBack()
			return
		}
		if err == nil {
			_, err = j.step(l)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		l.err = err
	}
}

// giveBack lets the goroutine of l go on at once. The caller holds l.turn.
func (l *link) giveBack() {
	l.used.Store(false)
	select {
	case l.wanted <- struct{}{}:
	default:
	}
}

// setReadDeadline sets when reads from l end, if that is new. The caller
// holds l.turn.
func (l *link) setReadDeadline(t time.Time) {
	if t != l.deadline {
		l.conn.SetReadDeadline(t)
		l.deadline = t
	}
}
