package ame

import (
	"errors"
	"os"
	"time"
)

// Each link has a goroutine that reads from it, so that frames are taken,
// forwarded and answered, and a lost rank is noticed, whatever the calls of
// this rank do. Waking a call from that goroutine costs about as much as the
// system's part of a short message. So a call that waits for a frame which can
// only come over one link reads from that link itself: the goroutine lends it
// for as long as such calls come in quick succession, and takes it back when
// they stay away, or at once when another call waits. A link over which rank 0
// has had to forward is lent no more, for its frames must not lie unread while
// rank 0 is busy.

// Timers that end within a tick of the kernel's clock (4 ms) make each wait on
// the network dearer, by half of a short message's round trip on a virtual
// machine. The two below are longer.
const (
	// lendCheck is how often the goroutine looks whether a lent link is
	// still in use; for up to twice as long may a frame lie unread that no
	// call waits for, such as that of a failure.
	lendCheck = 10 * time.Millisecond

	// directWindow is how long a call reads from a link itself before it
	// leaves that to the goroutine and waits in a way that can be cancelled.
	directWindow = 40 * time.Millisecond

	// lendRanks is the size of a job up to which rank 0 lends: it has a timer
	// for each lent link.
	lendRanks = 16
)

// read takes frames from l until the connection ends, and hands them on.
func (j *job) read(l *link) {
	defer j.readers.Done()
	for {
		if err := j.readUntilLent(l); err != nil {
			j.ended(l, err)
			return
		}
		l.lent.Store(true)
		for l.used.Swap(false) && !j.waitsInVain(l) {
			select {
			case <-l.wanted:
			case <-time.After(lendCheck):
			}
		}
		l.lent.Store(false)
	}
}

// waitsInVain says whether a call waits for what l may bring and does not read
// from it itself. One that comes later sees that l is lent and asks for it.
func (j *job) waitsInVain(l *link) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.waiters == 0 {
		return false
	}
	read := len(l.turn) > 0
	for _, b := range j.boxes {
		for _, r := range b.waiting {
			if r.link != l || !read {
				return true
			}
		}
	}
	return false
}

// readUntilLent returns nil when a call has got a frame that it could have
// read by itself: it is likely to wait for another one soon.
func (j *job) readUntilLent(l *link) error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	for l.err == nil {
		l.setReadDeadline(time.Time{})
		direct, err := j.step(l)
		if direct {
			l.used.Store(true)
			return nil
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.deadline = time.Unix(1, 0) // it is not the one that was set here: set it again
		case err != nil:
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

// onlyLink returns the link that a call which waits for source may read
// from, nil if there is none or the frame may come in another way.
func (j *job) onlyLink(source int) *link {
	switch {
	case source == AnySource || source == j.rank || !j.lends():
		return nil
	case j.rank != 0:
		return j.links[0]
	case j.links[source].relays.Load():
		return nil
	}
	return j.links[source]
}

func (j *job) lends() bool { return j.rank != 0 || j.size <= lendRanks }

// readFor reads frames from the link of r, if that is lent, until r has its
// outcome, for a short time at most. When a call waits afterwards, this one or
// another, all links go back to their goroutines.
func (j *job) readFor(r *receiver) {
	if !j.lends() {
		return
	}
	if l := r.link; l != nil {
		select {
		case l.turn <- struct{}{}:
			if j.readLent(l, r) {
				<-l.turn
			}
		default:
		}
	}
	if !j.someoneWaits() {
		return
	}
	for _, l := range j.links {
		if l != nil && l.lent.Load() {
			l.giveBack()
		}
	}
}

func (j *job) someoneWaits() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.waiters > 0
}

// readLent is readFor with the turn on l. It returns false if it has passed
// the turn on: to a goroutine that forwards a frame, which may take longer
// than the call has time.
func (j *job) readLent(l *link, r *receiver) (keeps bool) {
	if l.err != nil {
		return true
	}
	l.used.Store(true)
	if now := time.Now(); l.deadline.Sub(now) < directWindow/2 {
		l.setReadDeadline(now.Add(directWindow))
	}
	for l.err == nil && len(r.done) == 0 {
		h, body, err := l.read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return true
		}
		if err == nil && int(h.dest) != j.rank {
			l.relays.Store(true)
			j.readers.Go(func() {
				_, l.err = j.dispatch(l, &h, body)
				<-l.turn
			})
			return false
		}
		if err == nil {
			_, err = j.dispatch(l, &h, body)
		}
		l.err = err
	}
	return true
}

// giveBack lets the goroutine of l go on at once.
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
