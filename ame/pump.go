package ame

import (
	"errors"
	"os"
)

// lendRanks is the size of a job up to which rank 0 lends the tokens of its
// links: it has a timer for each that it has lent.
const lendRanks = 16

// errDone ends the pump of a link whose other end has said bye.
var errDone = errors.New("bye")

// atOnce is for a link from which frames are read without waiting for anything.
func atOnce() {}

// pump owns the token of l: it takes frames until the connection ends, and
// hands them on.
func (j *job) pump(l link) {
	t := l.reading()
	for t.err == nil {
		via, err := j.step(l)
		t.err = err
		if err == nil && via == t && j.lends() && j.matcher.sleepers.Load() == 0 && !t.kept.Load() {
			j.lending.Add(1)
			t.lend(func() bool { return j.matcher.sleepers.Load() > 0 })
			j.lending.Add(-1)
		}
	}
	j.ended(l, t.err)
}

// step reads one frame from l and hands it on. The token is that of the link
// from which the call that got it could have read by itself.
func (j *job) step(l link) (via *token, err error) {
	l.readFor(0)
	h, body, err := l.read()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil // of a call that has read before
	case err != nil:
		return nil, err
	}
	return j.dispatch(l, &h, body)
}

func (j *job) lends() bool { return j.rank != 0 || j.size <= lendRanks }

// readable returns the link from which a call that waits for a rank may read
// by itself, nil if there is none.
func (j *job) readable(source int) link {
	if source == AnySource || !j.lends() {
		return nil
	}
	return j.mesh.only(source)
}

// readAs reads frames from l for the call of r, which has the token, until r
// has its outcome, for a short time at most. It returns false if it has passed
// the token on: to a goroutine that relays a frame, which may take longer than
// the call has time. Then l is lent no more, for its frames must not lie unread
// while rank 0 is busy.
func (j *job) readAs(l link, r *receiver) (keeps bool) {
	t := l.reading()
	l.readFor(callReads)
	for t.err == nil && len(r.done) == 0 {
		h, body, err := l.read()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return true
		case err != nil:
			t.err = err
		case int(h.dest) != j.rank:
			t.keep()
			passed := h
			j.pumps.Go(func() {
				_, t.err = j.dispatch(l, &passed, body)
				t.put()
			})
			return false
		default:
			_, t.err = j.dispatch(l, &h, body)
			if h.kind == kindSwitch {
				return true // what the call waits for may come over another link now
			}
		}
	}
	return true
}

// recall gives all links back to their owners.
func (j *job) recall() {
	if j.lending.Load() == 0 {
		return
	}
	for _, l := range j.mesh.links() {
		l.reading().recall()
	}
}

// ended is called once for each link, by its pump, when nothing more will come
// from the other end.
func (j *job) ended(l link, err error) {
	defer close(l.over())
	l.close()
	if p, ok := l.(*pairLink); ok && err != errDone {
		p.breaks(lossText(err))
	}
	if err == errDone || j.mesh.gone(l.peer()) != nil || j.isClosed() {
		return
	}
	j.broke(l, lossText(err), err)
}
