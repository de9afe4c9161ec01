package dlp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
)

// ExecuteOption is what Execute takes besides its body: functions (*Func), and
// options such as Slots.
type ExecuteOption interface{ applyExecute(*executeOptions) }

type executeOptions struct {
	loopOptions
	funcs []callable
}

// Execute runs body on rank 0, with an Executor by which it runs functions on the
// other ranks, which serve. All ranks must call it, with functions of the same
// names and types, in any order; body is called on rank 0 alone, and other ranks
// may pass nil. If the functions differ, every rank gets an error that names the
// ranks.
//
// When body has returned nil, Execute waits until all tasks that it has submitted
// are done, and returns on all ranks. When body returns an error or panics, and
// when ctx ends on a rank, nothing more is handed out, futures that are not done
// get the error, and Execute returns it on all ranks.
//
// Errors and panics of tasks are matters of their futures. Those that nobody has
// asked for by Result when all tasks are done, and that were not cancelled, are an
// error of Execute on all ranks, which names up to 20 of them.
//
// Options are Slots, RootWorks, Retries, ItemTimeout, OnLoss, StopOn, StopBefore, Journal
// and Progress, which do for tasks what they do for items in MapFromRoot. So the tasks of a lost rank go
// to others, and one that two ranks were lost with has failed. With one rank tasks
// run beside body.
//
// In body and in tasks c cannot be used for collectives and loops. Only rank 0
// submits tasks: a task that makes more work returns that, and body submits it.
func Execute(ctx context.Context, c *Comm, body func(ctx context.Context, ex *Executor) error, opts ...ExecuteOption) error {
	o := executeOptions{loopOptions: loopOptions{slots: 1, policy: Continue}}
	for _, opt := range opts {
		opt.applyExecute(&o)
	}
	if err := c.idle(opExecute); err != nil {
		return err
	}
	if err := o.check(c, body != nil); err != nil {
		return err
	}
	leave, err := c.enter(opExecute)
	if err != nil {
		return err
	}
	defer leave()
	return execute(ctx, c, &o, body)
}

// execute is one rank's part in an executor.
func execute(ctx context.Context, c *Comm, o *executeOptions, body func(ctx context.Context, ex *Executor) error) (failed error) {
	book, err := openTaskbook(c, o)
	if err == nil {
		defer book.closeInto(&failed)
	}
	l, err := c.startLoop(ctx, announcement{op: o.signature(), length: loop.Unknown, refuse: err}, nil, o.loopOptions)
	if err != nil {
		return c.errorf(opExecute, err)
	}
	defer func() { l.finish(&failed) }()
	if c.IsRoot() {
		return executeBody(ctx, l, o, book, body)
	}
	w := l.worker()
	if err := o.serve(l, w).run(ctx); err != nil {
		return c.errorf(opExecute, err)
	}
	return nil
}

// check returns what is wrong with the options on this rank.
func (o *executeOptions) check(c *Comm, hasBody bool) error {
	err := o.checkSlots()
	if c.IsRoot() && !hasBody {
		err = errors.New("rank 0 has no body")
	}
	slices.SortFunc(o.funcs, func(a, b callable) int { return cmp.Compare(a.label(), b.label()) })
	for i, f := range o.funcs {
		if i > 0 && f.label() == o.funcs[i-1].label() {
			err = cmp.Or(err, fmt.Errorf("there are two functions of the name %q", f.label()))
		}
	}
	if err != nil {
		return c.errorf(opExecute, err)
	}
	for _, f := range o.funcs {
		if err := f.check(c); err != nil {
			return err
		}
	}
	return nil
}

// signature is what all ranks must have in common.
func (o *executeOptions) signature() string {
	var all []string
	for _, f := range o.funcs {
		all = append(all, f.signature())
	}
	return opExecute + " with " + cmp.Or(strings.Join(all, ", "), "no functions")
}

// serve is this rank's work on tasks.
func (o *executeOptions) serve(l *managed, w *loop.Worker) *labour[*loop.Input] {
	return &labour[*loop.Input]{
		worker: w, slots: l.slots, options: &o.loopOptions,
		next: nextInput(w),
		do: func(ctx context.Context, t loop.Task, in *loop.Input) loop.Item {
			if in.Kind >= len(o.funcs) {
				return failedItem(l.comm, t.Index, fmt.Errorf("there is no function %d", in.Kind))
			}
			return o.funcs[in.Kind].call(ctx, l.comm, t, in, &o.loopOptions)
		},
	}
}

// executeBody is rank 0's part.
func executeBody(ctx context.Context, l *managed, o *executeOptions, book *taskbook, body func(context.Context, *Executor) error) error {
	ex := newExecutor(l, o.funcs, book)
	if l.rootWorks {
		defer beside(ctx, o.serve(l, l.worker()).run)()
	}
	collecting, stop := context.WithCancel(context.Background())
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		ex.collect(collecting)
	}()
	defer func() { <-collected }()
	defer stop()
	left := errLeft // until body has returned
	defer func() {
		if left == errLeft {
			left = unreturned("left the body of Execute")
		}
		if left != nil {
			ex.abandon(l.comm.fromRank(0, left))
		}
		l.server.Leave(nil) // so it does not matter how rank 0's own work ends
	}()
	defer context.AfterFunc(ctx, func() { ex.abandon(l.comm.fromRank(0, context.Cause(ctx))) })()
	if left = body(ctx, ex); left != nil {
		return left
	}
	ex.close()
	select {
	case <-ex.drained:
		if err := ex.failed.unasked(); err != nil {
			l.server.Reject(err)
		}
		l.server.NoMore()
	case <-collected:
	case <-ctx.Done():
	}
	select {
	case <-collected:
	case <-ctx.Done():
		left = context.Cause(ctx)
		return l.comm.errorf(opExecute, left)
	}
	if ex.ended != nil {
		return l.comm.errorf(opExecute, ex.ended)
	}
	return nil
}
