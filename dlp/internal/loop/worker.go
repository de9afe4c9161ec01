package loop

import (
	"context"
	"sync"
	"time"
)

// fullReport is the size in bytes of waiting results at which a worker
// reports although its window is not done.
const fullReport = 1 << 20

// supervisor is the manager as a worker sees it.
type supervisor interface {
	// tell passes on a report. It does not end with any ctx, because half a
	// message would fail the whole job; the manager always listens.
	tell(r *report) error

	// await waits for the answer to a report with asking. With an error
	// the loop has failed, or ctx ended.
	await(ctx context.Context) (window, error)

	// cut says whether the manager wants what is worked on to end.
	cut() bool
}

// Worker goes through the items that one rank is given. Its methods are
// called by one goroutine; a timer beside it reports what the rank has had
// for too long.
type Worker struct {
	boss   supervisor
	errors Errors
	hold   time.Duration // for how long items may wait here
	prompt bool          // an item that has failed is reported at once

	mu    sync.Mutex
	todo  span   // of the window, not started
	items []Item // not reported
	bytes int    // in items
	timer *time.Timer
	left  bool  // nothing more is reported
	over  bool  // the manager has sent this rank home
	err   error // of a report that the timer could not send
}

// Next returns the index to work on, or ok == false when the loop is over
// for this rank: without an error because all is done, with one because the
// loop has failed or ctx ended.
func (w *Worker) Next(ctx context.Context) (index int, ok bool, err error) {
	for {
		if ctx.Err() != nil {
			return 0, false, context.Cause(ctx)
		}
		if index, ok := w.pop(); ok {
			return index, true, nil
		}
		if err := w.tell(&report{end: Unknown, intent: asking}); err != nil {
			return 0, false, err
		}
		answer, err := w.boss.await(ctx)
		w.setOver(answer.over)
		if err != nil || answer.over {
			return 0, false, err
		}
		w.begin(answer.span)
	}
}

func (w *Worker) setOver(over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = over
}

// pop takes the first index that is not started.
func (w *Worker) pop() (index int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.todo.n == 0 {
		return 0, false
	}
	index = w.todo.first
	w.todo.first++
	w.todo.n--
	return index, true
}

// begin takes a window. Unless it is a single item, the timer watches that
// no item of it waits long for another one.
func (w *Worker) begin(s span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.todo = s
	switch {
	case s.n == 1:
	case w.timer == nil:
		w.timer = time.AfterFunc(w.hold, w.overdue)
	default:
		w.timer.Reset(w.hold)
	}
}

// overdue reports the results so far and gives back what is left of the
// window. The timer calls it. If the window is done in the meantime there is
// nothing to report, or a bit of the next one, which does no harm.
func (w *Worker) overdue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left || w.todo.n == 0 && len(w.items) == 0 {
		return
	}
	w.err = w.flush(w.giveBack(working))
}

// Done notes what has become of an item.
func (w *Worker) Done(item Item) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.items = append(w.items, item)
	w.bytes += item.bytes()
	// A large value is sent alone and at once: none is ever kept here, and a
	// report with another intent never has one.
	if item.Large() || w.bytes >= fullReport || w.prompt && item.HasFailed() {
		return w.flush(&report{end: Unknown, intent: working})
	}
	return nil
}

// FoundEnd tells the manager that the sequence has n items, and drops the rest
// of the window, which does not exist.
func (w *Worker) FoundEnd(n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.todo = span{}
	return w.flush(&report{end: n, intent: working})
}

// Leave ends this rank's part. Unless the manager has sent it home, it tells
// the manager why. What it has not started goes to the others after a break;
// after a panic or an error the loop ends on all ranks.
func (w *Worker) Leave(why Intent, err error) {
	r := &report{end: Unknown, intent: why}
	if why == Fail && err != nil {
		r.why = w.errors.Encode(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = true
	if w.timer != nil {
		w.timer.Stop()
	}
	if w.over {
		return
	}
	if w.todo.n > 0 && why == Break {
		r.back = []span{w.todo}
	}
	// If this does not get through, the manager has lost this rank and knows.
	_ = w.flush(r)
}

func (w *Worker) tell(r *report) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flush(r)
}

// flush sends r with the items that are done. The caller holds mu.
func (w *Worker) flush(r *report) error {
	if w.err != nil {
		return w.err
	}
	r.items = w.items
	err := w.boss.tell(r)
	clear(w.items) // lets go of the values
	w.items, w.bytes = w.items[:0], 0
	return err
}
