package dlp

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// SplitOption changes what SplitManaged does.
type SplitOption interface{ applySplit(*loopOptions) }

// MapOption changes what MapUnordered does.
type MapOption interface{ applyMap(*loopOptions) }

// WorkOption is an option of MapUnordered and Execute.
type WorkOption interface {
	MapOption
	ExecuteOption
}

// LoopOption is an option of all of them.
type LoopOption interface {
	SplitOption
	MapOption
	ExecuteOption
}

type loopOptions struct {
	dedicated bool
	rootWorks bool
	slots     int // of this rank, if it works
	policy    ErrorPolicy
	onLoss    LossPolicy
	progress  bool // the program asks for it
	watched   bool // it is wanted where somebody watches
	label     string
	keys      []any // func(T) string of Key

	journal  *journalOptions // nil: none
	timeline string          // path; empty: none
	sequence bool            // the items come one by one
	retries  int
	timeout  time.Duration // of an item
	overrun  time.Duration // how much longer its work may take

	halts  bool // the loop can be stopped, by the following
	stop   <-chan struct{}
	grace  time.Duration
	before *time.Duration // before the end of the job
}

type splitOption func(*loopOptions)

func (o splitOption) applySplit(l *loopOptions) { o(l) }

type mapOption func(*loopOptions)

func (o mapOption) applyMap(l *loopOptions) { o(l) }

type workOption func(*loopOptions)

func (o workOption) applyMap(l *loopOptions)        { o(l) }
func (o workOption) applyExecute(l *executeOptions) { o(&l.loopOptions) }

type loopOption func(*loopOptions)

func (o loopOption) applySplit(l *loopOptions) { o(l) }
func (o loopOption) applyMap(l *loopOptions)   { o(l) }

func (o loopOption) applyExecute(l *executeOptions) { o(&l.loopOptions) }

// Dedicated keeps rank 0 out of the work of SplitManaged: its loop has no
// iterations and ends with the loop. With one rank it has no effect.
func Dedicated() SplitOption { return splitOption(func(o *loopOptions) { o.dedicated = true }) }

// RootWorks lets rank 0 work on items of MapUnordered too: work then runs in
// a goroutine beside rank 0's loop body. With one rank it has no effect.
func RootWorks() WorkOption { return workOption(func(o *loopOptions) { o.rootWorks = true }) }

// ErrorPolicy says what MapUnordered does when work fails on an item.
type ErrorPolicy int

const (
	// Stop hands out no new items, yields what becomes of those that ranks
	// have already been given, and then ends the loop with the error, on all
	// ranks.
	Stop ErrorPolicy = iota

	// Continue goes on, and yields the failure as a Result with Err set.
	Continue
)

// OnError sets what MapUnordered does when work fails on an item. The default
// is Stop.
func OnError(p ErrorPolicy) MapOption { return mapOption(func(o *loopOptions) { o.policy = p }) }

// Progress shows how far the loop is: as a bar on the terminal that is rank 0's
// stderr, or ameexec's, else as a line on rank 0's stderr every 30 s and at the
// end. SplitManaged does so by itself if there is such a terminal.
func Progress(label string) LoopOption {
	return loopOption(func(o *loopOptions) { o.progress, o.label = true, label })
}

// managed is one rank's part in a managed loop.
type managed struct {
	comm    *Comm
	ame     *ame.Comm    // of this loop alone
	server  *loop.Server // on rank 0
	policy  ErrorPolicy
	retries int

	rootWorks bool
	slots     int    // of this rank
	total     int    // of all slots
	hide      func() // ends the progress display

	entered time.Duration     // when this rank came to the loop, by its clock
	section *timeline.Section // on rank 0, of the loop's timeline; nil: none
	timed   bool              // this rank notes what it does
	users   atomic.Int32      // of section: this rank, and the manager
}

// startLoop begins a managed loop on every rank, and starts its manager on rank
// 0, which may outlive the loop there. A rank that is alone works itself.
func (c *Comm) startLoop(ctx context.Context, a announcement, items *samples, o loopOptions) (*managed, error) {
	l := &managed{comm: c, policy: o.policy, retries: o.retries, rootWorks: o.rootWorks || c.Size() == 1, slots: o.slots, hide: func() {}, entered: c.clock()}
	a.items, a.slots = items.sum(), o.slots
	if c.IsRoot() && !l.rootWorks {
		a.slots = 0
	}
	if path := c.timelinePath(&o); path != "" {
		a.record = func(slots []int) (err error) {
			l.section, err = c.openTimeline(path, a, slots, l.entered, &o)
			return err
		}
	}
	all := agreed{slots: []int{a.slots}, total: a.slots}
	var err error
	if c.Size() > 1 {
		all, err = c.agree(ctx, a, items)
	} else {
		err = cmp.Or(c.beginAlone(ctx, a.op), a.refuse)
		if all.timed = a.record != nil; err == nil && all.timed {
			err = a.record(all.slots)
		}
	}
	if err != nil {
		closeTimeline(l.section, err)
		return nil, err
	}
	l.ame, l.timed = all.ame, all.timed
	l.users.Store(2)
	if l.total = all.total; c.IsRoot() {
		l.serve(a, all.slots, o)
	}
	return l, nil
}

// serve starts the manager.
func (l *managed) serve(a announcement, slots []int, o loopOptions) {
	l.server = loop.NewServer(loopLink{l.ame}, loop.Config{
		Size: l.comm.Size(), Total: a.length, Travels: a.travels(), Slots: slots,
		RootWorks: l.rootWorks, Stop: o.policy == Stop, Errors: loopErrors{l.comm},
		Redo: a.op == opSplit, Finished: a.finished, OnLoss: loop.LossPolicy(o.onLoss), Halting: l.comm.halting(&o),
		Retries: o.retriesElsewhere(), Timeline: l.section,
	})
	l.comm.loops.serve(l.server, func() {
		l.leaveTimeline()
		if l.ame != nil {
			l.ame.Close()
		}
	})
	l.hide = showProgress(l.comm, o, l.server.State)
}

func (l *managed) worker() *loop.Worker {
	var w *loop.Worker
	if l.server != nil {
		w = l.server.NewWorker()
	} else {
		w = loop.NewWorker(loopLink{l.ame}, l.slots, l.total, l.policy == Stop || l.retries > 0, loopErrors{l.comm})
	}
	if l.timed {
		w.Record(l.comm.loops.epoch, l.entered)
	}
	return w
}

// nextItem returns the next item that this rank is to work on. With ok ==
// false the loop is over for it; see Worker.Next.
func nextItem[T any](ctx context.Context, w *loop.Worker, items *source[T]) (item T, t loop.Task, ok bool, err error) {
	for {
		t, ok, err = w.Next(ctx)
		if err != nil || !ok {
			return item, t, false, err
		}
		item, end, ok := items.at(t.Index)
		if ok {
			return item, t, true, nil
		}
		if err := w.FoundEnd(end); err != nil {
			return item, t, false, err
		}
	}
}

// finish ends the loop on this rank, with *failed. On rank 0 the manager goes on
// until all others are out, and then closes the loop's communicator.
func (l *managed) finish(failed *error) {
	l.hide()
	if l.section != nil {
		l.section.End(*failed)
		_ = l.section.Flush() // closeSection says it
		l.leaveTimeline()
	}
	if l.server == nil {
		l.ame.Close()
	}
}
