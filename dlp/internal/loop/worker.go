package loop

import (
	"context"
	"slices"
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

// Worker goes through the items that one rank is given. Its slots, goroutines
// that work on an item each, call Next in turn and Done at any time; a timer
// beside them reports what the rank has had for too long.
//
// Each slot that waits has asked rank 0 for itself, so that rank 0 knows of all
// of them, and what is done is reported with that.
type Worker struct {
	boss   supervisor
	errors Errors
	slots  int           // 0 and 1: one item at a time
	hold   time.Duration // for how long items may wait here
	prompt bool          // an item that has failed is reported at once

	mu    sync.Mutex
	todo  []window // not started
	busy  int      // items that are worked on
	asked int      // slots that rank 0 has not answered
	items []Item   // not reported
	bytes int      // in items
	timer *time.Timer
	notes diary // of what it does
	left  bool  // nothing more is reported
	over  bool  // the manager has sent this rank home
	err   error // of a report that the timer could not send
}

// Task is an item to work on.
type Task struct {
	Index   int
	Attempt int    // from 1
	Input   *Input // the item itself, if items travel
}

// Next returns the item to work on, or ok == false when the loop is over
// for this rank: without an error because all is done, with one because the
// loop has failed or ctx ended. Then it is not called again.
func (w *Worker) Next(ctx context.Context) (t Task, ok bool, err error) {
	for {
		if ctx.Err() != nil {
			return t, false, context.Cause(ctx)
		}
		if t, ok, err = w.pop(); ok || err != nil {
			return t, ok, err
		}
		answer, err := w.boss.await(ctx)
		w.answered(answer.over)
		if err != nil || answer.over {
			return t, false, err
		}
		w.begin(answer)
	}
}

// answered notes that rank 0 has answered, and whether that was the end.
func (w *Worker) answered(over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = over
	w.notes.answered(over)
}

// pop takes the first item that is not started. If there is none, it makes sure
// that rank 0 knows of all slots that wait.
func (w *Worker) pop() (t Task, ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.todo) == 0 {
		w.notes.waits()
		return t, false, w.ask()
	}
	first := &w.todo[0]
	t.Index, t.Attempt = first.first, 1+first.tries
	first.first++
	first.n--
	if len(first.inputs) > 0 {
		t.Input = &first.inputs[0]
		first.inputs = first.inputs[1:]
	}
	if first.n == 0 {
		w.todo = slices.Delete(w.todo, 0, 1)
	}
	w.busy++
	return t, true, nil
}

// ask reports what is done, and asks for those slots that wait and have not
// asked, if there are any. The caller holds mu.
func (w *Worker) ask() error {
	waiting := max(1, w.slots) - w.busy - w.asked
	switch {
	case waiting > 0:
		w.asked += waiting
		return w.flush(&report{end: Unknown, intent: asking, more: waiting - 1})
	case len(w.items) > 0:
		return w.flush(&report{end: Unknown, intent: working})
	}
	return nil
}

// begin takes a window. Unless all of it is started at once, the timer watches
// that no item of it waits long for another one.
func (w *Worker) begin(answer window) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.todo = append(w.todo, answer)
	w.asked -= min(w.asked, 1+answer.more)
	switch {
	case answer.n == 1 && w.slots <= 1:
	case w.timer == nil:
		w.timer = time.AfterFunc(w.hold, w.overdue)
	default:
		w.timer.Reset(w.hold)
	}
}

// overdue reports the results so far and gives back what is left of the
// windows. The timer calls it. If they are done in the meantime there is
// nothing to report, or a bit of the next ones, which does no harm.
func (w *Worker) overdue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left || len(w.todo) == 0 && len(w.items) == 0 {
		return
	}
	w.err = w.flush(w.giveBack(working))
}

// unstarted empties the windows and returns what they had left, nil if that is
// nothing. The caller holds mu.
func (w *Worker) unstarted() []span {
	var back []span
	for _, t := range w.todo {
		back = append(back, t.span)
	}
	clear(w.todo)
	w.todo = w.todo[:0]
	return back
}

// Done notes what has become of an item.
func (w *Worker) Done(item Item) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.items = append(w.items, item)
	w.bytes += item.bytes()
	w.busy--
	w.notes.did(&item)
	// A large value is sent alone and at once: none is ever kept here, and a
	// report with another intent never has one.
	if item.Large() || w.bytes >= fullReport || w.prompt && item.HasFailed() {
		since := w.notes.now()
		err := w.flush(&report{end: Unknown, intent: working})
		w.notes.waited(item.Slot, since)
		if err != nil {
			return err
		}
	}
	if w.asked > 0 && len(w.todo) == 0 {
		return w.ask() // for this slot, since another one waits for the answer
	}
	return nil
}

// FoundEnd tells the manager that the sequence has n items, and so not the one
// that Next has returned, and drops the rest of the windows, which does not
// exist either.
func (w *Worker) FoundEnd(n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unstarted()
	w.busy--
	return w.flush(&report{end: n, intent: working})
}

// Leave ends this rank's part, when no slot works any more. Unless the manager
// has sent it home, it tells the manager why. What it has not started goes to
// the others after a break; after a panic or an error the loop ends on all ranks.
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
	if why == Break {
		r.back = w.unstarted()
	}
	// If this does not get through, the manager has lost this rank and knows.
	_ = w.flush(r)
}

// flush sends r with the items that are done. The caller holds mu.
func (w *Worker) flush(r *report) error {
	if w.err != nil {
		return w.err
	}
	r.items, r.times = w.items, w.notes.take()
	err := w.boss.tell(r)
	clear(w.items) // lets go of the values
	w.items, w.bytes = w.items[:0], 0
	return err
}
