package dlp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
)

// ErrStopped is why a loop ends that was stopped by StopOn or StopBefore before
// all its items were done. All ranks get it, and their Comm works as before, so
// that results can be saved. A program whose body of Main returns it ends with
// status 75: to be started again.
var ErrStopped = errors.New("stopped")

// statusStopped is EX_TEMPFAIL of sysexits.h: try again.
const statusStopped = 75

// StopOn ends a managed loop early and in good order when stop is closed, as
// Stopping is: nothing more is handed out, and what ranks are working on may go
// on for the grace. Then the ctx of work ends, with a cause that is ErrStopped;
// an item whose work then returns an error counts as not done. A loop body of
// SplitManaged, and work that does not heed its ctx, is waited for.
//
// All results are yielded. Unless all items were done, the loop then ends on all
// ranks with an ErrStopped that names the others.
//
// All ranks pass it, and each may be the one whose stop is closed. The grace of
// rank 0 counts. Slurm kills 30 s after SIGTERM, as a rule, and a program under
// Main has 20 s: the grace should leave it the time to save what it has.
func StopOn(stop <-chan struct{}, grace time.Duration) LoopOption {
	return loopOption(func(o *loopOptions) { o.halts, o.stop, o.grace = true, stop, grace })
}

// StopBefore ends a managed loop so early that at the end of the job there is d
// left: nothing is handed out that is not expected to be done by then, judged by
// a rank's last items or, for its first one, those of the others. When nobody can
// go on, the loop ends as with StopOn. What is still worked on when only d is
// left is told to end, as after StopOn's grace.
//
// The end of the job is SLURM_JOB_END_TIME, else what squeue says, which rank 0
// asks once. Where neither is there it has no effect, and rank 0 warns of that on
// stderr. All ranks pass it; the d of rank 0 counts.
func StopBefore(d time.Duration) LoopOption {
	return loopOption(func(o *loopOptions) { o.halts, o.before = true, &d })
}

// halting is what package loop is to know of StopOn and StopBefore.
func (c *Comm) halting(o *loopOptions) loop.Halting {
	h := loop.Halting{Asked: o.stop, Grace: o.grace, Err: ErrStopped}
	if o.before == nil {
		return h
	}
	if end := c.loops.jobEnd(); !end.IsZero() {
		h.Before = end.Add(-*o.before)
	}
	return h
}

// worksUntilCut returns the ctx of work on one rank of several. It ends with
// the returned function, and when the loop wants what is worked on to end.
func worksUntilCut(ctx context.Context, w *loop.Worker, o *loopOptions) (work context.Context, end func()) {
	if !o.halts {
		return ctx, func() {}
	}
	work, cancel := context.WithCancelCause(ctx)
	unwatch := during(func(over <-chan struct{}) {
		w.Watch(o.stop, over, func() { cancel(errCut()) })
	})
	return work, func() {
		unwatch()
		cancel(nil)
	}
}

// errCut is the cause of a ctx of work that has ended because the loop is
// stopped.
func errCut() error { return fmt.Errorf("%w: the loop is to end now", ErrStopped) }

// isCut says whether an item is not done because work was told to end.
func isCut(ctx context.Context, item *loop.Item) bool {
	return item.Status == loop.Failed && errors.Is(context.Cause(ctx), ErrStopped)
}

// halter is StopOn and StopBefore on a rank that is alone.
type halter struct {
	loop.Halting
	mean time.Duration // of the last items; 0: none is done
}

// meanWeight is how many items the mean is over.
const meanWeight = 8

// watch returns the ctx of work, until end is called.
func (h *halter) watch(ctx context.Context) (work context.Context, end func()) {
	if h.Asked == nil && h.Before.IsZero() {
		return ctx, func() {}
	}
	work, cancel := context.WithCancelCause(ctx)
	unwatch := during(func(over <-chan struct{}) {
		var late, graceOver <-chan time.Time
		if !h.Before.IsZero() {
			late = time.After(time.Until(h.Before))
		}
		for asked := h.Asked; ; {
			select {
			case <-asked:
				asked = nil // once
				graceOver = time.After(h.Grace)
				continue
			case <-graceOver:
			case <-late:
			case <-over:
				return
			}
			cancel(errCut())
			return
		}
	})
	return work, func() {
		unwatch()
		cancel(nil)
	}
}

// stops returns an ErrStopped if the item is not to be begun. total is as of
// source.length.
func (h *halter) stops(index, total int) error {
	why := ""
	select {
	case <-h.Asked:
		why = "as asked"
	default:
		if h.Before.IsZero() || time.Until(h.Before) > h.mean {
			return nil
		}
		why = "to be done by " + h.Before.Format(time.DateTime)
	}
	return fmt.Errorf("%w %s, not done: %s", ErrStopped, why, loop.Rest(index, total))
}

// done notes how long an item took.
func (h *halter) done(d time.Duration) {
	if h.mean == 0 {
		h.mean = d
	} else {
		h.mean += (d - h.mean) / meanWeight
	}
}
