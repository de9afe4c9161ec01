package dlp

import (
	"context"
	"iter"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// Result is what has become of one item of MapUnordered.
type Result[R any] struct {
	Index    int // of the item
	Rank     int // that worked on it
	Value    R
	Err      error // an *ItemError, with OnError(Continue) only
	Duration time.Duration
	Resumed  bool // an earlier start has worked on it: see Journal
}

// MapUnordered runs work on each item, on the ranks other than 0, and yields
// the results on rank 0 in the order in which they come. All ranks must range
// over it, with the same items in the same order; see Key for how that is
// checked. On the other ranks the loop has no iterations and ends with the loop.
//
// Rank 0's loop body never runs beside work in one process, unless RootWorks;
// a manager hands out indices meanwhile, a few at a time if they are quick.
// While more than 64 MiB of results wait for a slow body, no more items are
// handed out. With one rank, work and the body take turns, unless Slots are more
// than one: then work runs beside the body. A value that work
// has returned belongs to the loop: work must not change its memory later.
//
// When a rank is lost, others do the items that it has not finished: see OnLoss.
//
// At most one error is yielded, last, and on all ranks: by default the
// *ItemError of each item whose work has failed or panicked (errors.Join; see
// OnError), or why the loop could not go on, with the rank, its node and the
// items it has not finished. When rank 0 breaks out, the other ranks leave when
// they are done with the items at hand; afterwards c works as before. ctx is
// handed to work; when it ends on a rank, the loop ends on all.
//
// In work and in the loop body c cannot be used for collectives and other
// managed loops; that is an error. Each range over the iterator is a loop of
// its own.
func MapUnordered[T, R any](ctx context.Context, c *Comm, items []T, work func(context.Context, T) (R, error), opts ...MapOption) iter.Seq2[Result[R], error] {
	return mapUnordered(ctx, c, &source[T]{slice: items}, work, opts)
}

// MapUnorderedSeq is MapUnordered for items that come one by one, from a
// sequence that is the same on all ranks, with the limits of SplitManagedSeq.
// Every working rank walks the sequence as far as its items need.
func MapUnorderedSeq[T, R any](ctx context.Context, c *Comm, items iter.Seq[T], work func(context.Context, T) (R, error), opts ...MapOption) iter.Seq2[Result[R], error] {
	return mapUnordered(ctx, c, &source[T]{seq: items}, work, opts)
}

func mapUnordered[T, R any](ctx context.Context, c *Comm, items *source[T], work func(context.Context, T) (R, error), opts []MapOption) iter.Seq2[Result[R], error] {
	o := mapOptions(opts)
	return func(yield func(Result[R], error) bool) {
		if err := mapRange(ctx, c, items, work, o, yield); err != nil {
			yield(Result[R]{}, err)
		}
	}
}

func mapOptions(opts []MapOption) loopOptions {
	o := loopOptions{slots: 1}
	for _, opt := range opts {
		opt.applyMap(&o)
	}
	return o
}

// mapRange is one range over the loop.
func mapRange[T, R any](ctx context.Context, c *Comm, items *source[T], work func(context.Context, T) (R, error), o loopOptions, yield func(Result[R], error) bool) error {
	o.sequence = items.seq != nil
	if _, err := ready[R](c, "map"); err != nil {
		return err
	}
	if err := o.checkSlots(); err != nil {
		return c.errorf("map", err)
	}
	leave, err := c.enter("map")
	if err != nil {
		return err
	}
	defer leave()
	defer items.close()
	compared, err := samplesOf(items, o.key())
	switch {
	case err != nil:
	case c.Size() == 1 && o.slots == 1:
		err = mapAlone(ctx, c, items, work, o, yield)
	default:
		err = mapShared(ctx, c, items, compared, work, o, yield)
	}
	if err != nil {
		return c.errorf("map", err)
	}
	return nil
}

// mapAlone is the loop of a rank that is alone and has one slot.
func mapAlone[T, R any](ctx context.Context, c *Comm, items *source[T], work func(context.Context, T) (R, error), o loopOptions, yield func(Result[R], error) bool) (failed error) {
	section, err := c.timelineAlone(ctx, announcement{op: opMap, length: items.length()}, &o)
	if err != nil {
		return err
	}
	defer func() { closeTimeline(section, failed) }()
	book, err := openLogbook[T, R](c, &o)
	if err != nil {
		return err
	}
	defer book.closeInto(&failed)
	count := counter{total: items.length()}
	defer showProgress(c, o, count.state)()
	halter := halter{Halting: c.halting(&o)}
	workCtx, end := halter.watch(ctx)
	defer end()
	index := 0
	for item := range items.all() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := halter.stops(index, items.length()); err != nil {
			return err
		}
		f, err := book.alone(index, &item, func() loop.Item { return tryHere(workCtx, c, index, item, work, &o) })
		switch {
		case err != nil:
			return err
		case isCut(workCtx, &f):
			section.Own(timeline.Cut, 0, index, f.Began, f.Duration)
			return halter.stops(index, items.length())
		case !f.Resumed:
			section.Own(f.State(), 0, index, f.Began, f.Duration)
			halter.done(f.Duration)
		}
		index++
		count.add()
		r := resultOf[R](c, &f)
		if r.Err != nil && o.policy == Stop {
			return r.Err
		}
		if !yield(r, nil) {
			return nil
		}
	}
	return nil
}

// mapShared is the loop of one rank of several.
func mapShared[T, R any](ctx context.Context, c *Comm, items *source[T], compared *samples, work func(context.Context, T) (R, error), o loopOptions, yield func(Result[R], error) bool) (failed error) {
	a := announcement{op: opMap, length: items.length()}
	book, err := openLogbook[T, R](c, &o)
	if err == nil {
		defer book.closeInto(&failed)
		a.finished, err = book.plan(items.slice)
	}
	a.refuse = err
	l, err := c.startLoop(ctx, a, compared, o)
	if err != nil {
		return err
	}
	defer func() { l.finish(&failed) }()
	if c.IsRoot() && !l.rootWorks {
		return yieldResults(ctx, l, book.records, yield)
	}
	w := l.worker()
	own := labour[T]{
		worker: w, slots: l.slots, options: &o,
		next: func(ctx context.Context) (T, loop.Task, bool, error) { return nextItem(ctx, w, items) },
		do:   func(ctx context.Context, t loop.Task, item T) loop.Item { return doItem(ctx, c, t, item, work, &o) },
	}
	if !c.IsRoot() {
		return own.run(ctx)
	}
	defer beside(ctx, own.run)()
	return yieldResults(ctx, l, book.records, yield)
}
