package loop

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Halting is how a loop is asked to stop before it is done: nothing more is
// handed out, what ranks work on may go on for a while, and then the loop ends
// with an error that names the items which are not done. Rank 0's counts.
type Halting struct {
	Asked  <-chan struct{} // closed when rank 0 is asked to
	Grace  time.Duration   // how long ranks may go on with their items
	Before time.Time       // when all items must be done; zero: there is no such time
	Err    error           // what the loop then ends with
}

// haltState is what has become of that. The server's mutex guards it, but for
// begun.
type haltState struct {
	why     string // the loop was asked to stop, "" if it was not
	begun   chan struct{}
	begin   func() // closes begun
	cutting bool   // what ranks work on is to end
	cuts    []int  // ranks that are to be told
}

func newHaltState() haltState {
	begun := make(chan struct{})
	return haltState{begun: begun, begin: sync.OnceFunc(func() { close(begun) })}
}

// heedHalting halts the loop when rank 0 is asked to, or time is up, as long as
// the loop is served.
func (s *Server) heedHalting() {
	var late <-chan time.Time
	if !s.Halting.Before.IsZero() {
		timer := time.NewTimer(time.Until(s.Halting.Before))
		defer timer.Stop()
		late = timer.C
	}
	var graceOver <-chan time.Time
	asked, begun := s.Halting.Asked, s.halt.begun
	for {
		select {
		case <-asked:
			asked = nil // once
			s.change(func() { s.stop("as asked") })
		case <-begun:
			begun = nil // once
			timer := time.NewTimer(s.Halting.Grace)
			defer timer.Stop()
			graceOver = timer.C
		case <-graceOver:
			s.change(s.cut)
		case <-late:
			s.change(func() {
				s.stop(s.whyLate())
				s.cut()
			})
		case <-s.serving.Done():
			return
		}
	}
}

// whyLate words why a loop ends that has a time to be done.
func (s *Server) whyLate() string {
	return "to be done by " + s.Halting.Before.Format(time.DateTime)
}

// stop hands out nothing more. What ranks work on may take the grace. The caller
// holds mu.
func (s *Server) stop(why string) {
	if !s.m.stopped {
		s.m.stopped = true
		s.halt.why = why
		s.results.wake()
	}
	s.halt.begin()
}

// cut tells the ranks to end what they work on. The caller holds mu.
func (s *Server) cut() {
	if s.halt.cutting {
		return
	}
	s.halt.cutting = true
	for rank := 1; rank < s.Size; rank++ {
		if s.m.ranks[rank].state == in {
			s.halt.cuts = append(s.halt.cuts, rank)
		}
	}
}

// expect tells the manager how much time is left.
func (s *Server) expect() {
	if !s.Halting.Before.IsZero() {
		s.m.limited, s.m.left = true, time.Until(s.Halting.Before)
	}
}

// haltIfLate halts the loop when all ranks wait, and what is left of the time
// is not enough for an item. The caller holds mu.
func (s *Server) haltIfLate() {
	if s.m.limited && s.m.held == 0 && s.m.taking > 0 && len(s.waiting) == s.m.taking && s.m.anyOpen() && !s.m.over() {
		s.stop(s.whyLate())
	}
}

// interrupted is the error of a loop that was halted, of which rest is not done.
func (s *Server) interrupted(losses error, rest string) error {
	err := fmt.Errorf("%w %s, not done: %s", s.Halting.Err, s.halt.why, rest)
	if losses != nil {
		return errors.Join(err, losses)
	}
	return err
}

// tooLate says whether an item of h is not expected to be done in the time that
// is left.
func (m *manager) tooLate(h *holder) bool {
	return m.limited && (m.left <= 0 || m.expected(h) > m.left)
}

// expected is how long an item of h is likely to take: as its last ones or, if
// it has done none, as those of the others. It is 0 if nobody knows.
func (m *manager) expected(h *holder) time.Duration {
	if h.mean > 0 {
		return h.mean
	}
	var sum time.Duration
	n := 0
	for i := range m.ranks {
		if mean := m.ranks[i].mean; mean > 0 {
			sum += mean
			n++
		}
	}
	return sum / time.Duration(max(1, n))
}

// Watch heeds, until over is closed, that the program on this rank is asked to
// stop, of which it tells the manager, and that the manager wants what is worked
// on to end: then it calls cut.
func (w *Worker) Watch(asked, over <-chan struct{}, cut func()) {
	ticker := time.NewTicker(cutEvery)
	defer ticker.Stop()
	for {
		select {
		case <-asked:
			asked = nil // once
			w.drop(halting)
		case <-ticker.C:
			if w.boss.cut() {
				w.drop(working)
				cut()
				return
			}
		case <-over:
			return
		}
	}
}

// cutEvery is how often a worker looks whether it is to end its item. A call that
// waited for that all the time would cost each message some time.
const cutEvery = 100 * time.Millisecond

// drop gives back what is not started.
func (w *Worker) drop(intent Intent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left || w.over {
		return
	}
	w.err = w.flush(w.giveBack(intent))
}

// giveBack takes what is not started off the worker, into a report. The caller
// holds mu.
func (w *Worker) giveBack(intent Intent) *report {
	return &report{end: Unknown, intent: intent, back: w.unstarted()}
}

// Undone notes that this rank has ended its work on an item without a result,
// because it was told to. Nobody does it again in this loop.
func (w *Worker) Undone(item Item) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	w.notes.cut(&item)
	return w.flush(&report{end: Unknown, intent: working, back: []span{{item.Index, 1}}})
}
