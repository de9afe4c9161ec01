package dlp

import (
	"context"
	"iter"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// SplitRoundRobin yields this rank's share of items, which all ranks have:
// those at Rank, Rank+Size, Rank+2*Size, and so on. It is not collective and
// sends nothing; use it where all items take about the same time. So nothing
// checks that the ranks have the same items in the same order.
func SplitRoundRobin[T any](c *Comm, items []T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := c.Rank(); i < len(items); i += c.Size() {
			if !yield(items[i]) {
				return
			}
		}
	}
}

// SplitRoundRobinSeq is SplitRoundRobin for items that come one by one. Every
// rank walks the whole sequence.
func SplitRoundRobinSeq[T any](c *Comm, items iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		i := 0
		for item := range items {
			if i%c.Size() == c.Rank() && !yield(item) {
				return
			}
			i++
		}
	}
}

// SplitManaged yields items to the ranks as they get free: each item to one
// rank. All ranks must range over it, with the same items in the same order;
// see Key for how that is checked. A manager on rank 0 hands out indices, a few at a time if they are quick; it works while rank 0
// is in its own loop body, so rank 0 gets items too, unless Dedicated.
//
// The loop ends on every rank when all items are done. At most one error is
// yielded, last. A rank that breaks out takes no more items, the others do
// the rest; afterwards c works as before. When a rank leaves its loop body by
// a panic, or when ctx ends on a rank, no more items are handed out, and the loop
// ends on the other ranks with an error that names the rank, its node and, on
// rank 0, the items it has not finished. When a rank is lost, the others do all
// its items, also those that it had finished, and then get an ErrLost: see
// OnLoss.
//
// In the loop body c cannot be used for collectives and other managed loops,
// because the ranks have different numbers of items; that is an error. Each
// range over the iterator is a loop of its own.
func SplitManaged[T any](ctx context.Context, c *Comm, items []T, opts ...SplitOption) iter.Seq2[T, error] {
	return splitManaged(ctx, c, &source[T]{slice: items}, opts)
}

// SplitManagedSeq is SplitManaged for items that come one by one, from a
// sequence that is the same on all ranks. That is not checked, but for its
// length as far as the ranks come. Every rank walks the sequence as far as its items need. It cannot
// go back, so after a rank has met a long item or has broken out, what it was
// given beyond may have to wait for it, or be an error.
func SplitManagedSeq[T any](ctx context.Context, c *Comm, items iter.Seq[T], opts ...SplitOption) iter.Seq2[T, error] {
	return splitManaged(ctx, c, &source[T]{seq: items}, opts)
}

func splitManaged[T any](ctx context.Context, c *Comm, items *source[T], opts []SplitOption) iter.Seq2[T, error] {
	o := loopOptions{watched: true, slots: 1}
	for _, opt := range opts {
		opt.applySplit(&o)
	}
	return func(yield func(T, error) bool) {
		if err := splitRange(ctx, c, items, o, yield); err != nil {
			var none T
			yield(none, err)
		}
	}
}

// splitRange is one range over the loop.
func splitRange[T any](ctx context.Context, c *Comm, items *source[T], o loopOptions, yield func(T, error) bool) error {
	leave, err := c.enter("split")
	if err != nil {
		return err
	}
	defer leave()
	defer items.close()
	compared, err := samplesOf(items, o.key())
	switch {
	case err != nil:
	case c.Size() == 1:
		err = splitAlone(ctx, c, items, o, yield)
	default:
		err = splitShared(ctx, c, items, compared, o, yield)
	}
	if err != nil {
		return c.errorf("split", err)
	}
	return nil
}

// splitAlone is the loop of a rank that is alone.
func splitAlone[T any](ctx context.Context, c *Comm, items *source[T], o loopOptions, yield func(T, error) bool) (failed error) {
	section, err := c.timelineAlone(ctx, announcement{op: opSplit, length: items.length()}, &o)
	if err != nil {
		return err
	}
	defer func() { closeTimeline(section, failed) }()
	count := counter{total: items.length()}
	defer showProgress(c, o, count.state)()
	halter := halter{Halting: c.halting(&o)}
	index := 0
	for item := range items.all() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := halter.stops(index, items.length()); err != nil {
			return err
		}
		began := c.clock()
		again := yield(item, nil)
		took := c.clock() - began
		section.Own(timeline.Done, 0, index, began, took)
		if !again {
			return nil
		}
		halter.done(took)
		index++
		count.add()
	}
	return nil
}

// splitShared is the loop of one rank of several.
func splitShared[T any](ctx context.Context, c *Comm, items *source[T], compared *samples, o loopOptions, yield func(T, error) bool) (err error) {
	o.rootWorks = !o.dedicated
	l, err := c.startLoop(ctx, announcement{op: opSplit, length: items.length()}, compared, o)
	if err != nil {
		return err
	}
	defer func() { l.finish(&err) }()
	if c.IsRoot() && o.dedicated {
		return l.server.Supervise(ctx)
	}
	w := l.worker()
	left := loop.Panic // until it is clear that yield has returned
	defer func() { leaveLoop(w, left, err) }()
	_, end := worksUntilCut(ctx, w, &o)
	defer end()
	for {
		item, t, ok, err := nextItem(ctx, w, items)
		if err != nil || !ok {
			left = loop.Fail
			return err
		}
		began := c.clock()
		again := yield(item, nil)
		err = w.Done(loop.Item{Index: t.Index, Began: began, Duration: c.clock() - began})
		switch {
		case !again:
			left = loop.Break
			return nil
		case err != nil:
			left = loop.Fail
			return err
		}
	}
}
