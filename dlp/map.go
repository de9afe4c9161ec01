package dlp

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
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
	if err := c.beginAlone(ctx, "map"); err != nil {
		return err
	}
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
			return halter.stops(index, items.length())
		case !f.Resumed:
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
	defer l.finish()
	if c.IsRoot() && !l.rootWorks {
		return yieldResults(ctx, c, l.server, book.records, o.policy, yield)
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
	return yieldResults(ctx, c, l.server, book.records, o.policy, yield)
}

// beside runs rank 0's own work beside its loop body. The returned function ends
// the work's ctx and waits for it. An error of the work reaches the loop by way of
// the manager.
func beside(ctx context.Context, run func(context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var own sync.WaitGroup
	own.Go(func() { _ = run(ctx) })
	return func() {
		cancel()
		own.Wait()
	}
}

// yieldResults is rank 0's part: it runs the loop body on what comes.
func yieldResults[R any](ctx context.Context, c *Comm, s *loop.Server, book *records, policy ErrorPolicy, yield func(Result[R], error) bool) error {
	left := errLeft // until it is clear that yield has returned
	defer func() {
		if left == errLeft {
			left = c.fromRank(0, unreturned("left the loop body"))
		}
		s.Leave(left)
	}()
	use := func(item *loop.Item) (more bool) {
		r := resultOf[R](c, item)
		*item = loop.Item{} // lets go of the value
		if r.Err != nil && policy == Stop {
			s.Reject(r.Err)
			return true
		}
		return yield(r, nil)
	}
	more, err := book.replay(ctx, use)
	var lost error // why results are not safe
	for more && err == nil {
		results, over, failed := s.Take(ctx)
		if over {
			left = nil
			return failed
		}
		if err = failed; err != nil {
			break
		}
		if unsafe := book.record(results); unsafe != nil {
			if lost == nil {
				s.Reject(c.fromRank(0, unsafe))
			}
			lost = unsafe
			continue // what is not safe is not yielded
		}
		more, err = useEach(ctx, results, use)
	}
	if left = nil; err != nil {
		left = c.fromRank(0, err)
	}
	return err
}

// useEach calls use with each result, as long as that wants more and ctx has not
// ended.
func useEach(ctx context.Context, results []loop.Item, use func(*loop.Item) (more bool)) (more bool, err error) {
	for i := range results {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if !use(&results[i]) {
			return false, nil
		}
	}
	return true, nil
}
