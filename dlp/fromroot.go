package dlp

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// MapFromRoot is MapUnordered for items that rank 0 alone has: a list that no
// other rank can see, or one that grows, such as the lines of stdin. They travel
// to the ranks that work on them. All ranks must range over it; the others pass
// nil for items, which is not looked at.
//
// The sequence runs in a goroutine of its own, beside the loop body. It may wait
// for its items, and need not end: the ranks wait without using their CPUs, and
// an item that comes is handed out at once if a rank waits for it. The sequence
// is read ahead of what is handed out by at most 1024 items for each slot of the
// job and 64 MiB (by a single item if that is larger), so that quick items
// travel many at a time. An item that it has yielded belongs to the loop: its
// memory must not change later. Until an item is finished rank 0 keeps it, as it
// travels, for the case that its rank is lost.
//
// When the loop ends early, by a break, an error or the end of ctx, the
// sequence's yield returns false and the loop waits for its end, but not longer
// than a second: a sequence that goes on waiting in code of its own is left
// behind, and ends when it next yields. A panic of the sequence is one of the
// loop on rank 0, and ends it on the others with an error.
//
// Results, errors, losses and options are as in MapUnordered, but that nothing is
// compared, and Key is for a Journal alone. An item that cannot be encoded, or that another
// rank cannot decode, has failed. With one rank nothing is encoded, and work runs
// beside the loop body.
func MapFromRoot[T, R any](ctx context.Context, c *Comm, items iter.Seq[T], work func(context.Context, T) (R, error), opts ...MapOption) iter.Seq2[Result[R], error] {
	o := mapOptions(opts)
	return func(yield func(Result[R], error) bool) {
		if err := fromRootRange(ctx, c, items, work, o, yield); err != nil {
			yield(Result[R]{}, err)
		}
	}
}

// fromRootRange is one range over the loop.
func fromRootRange[T, R any](ctx context.Context, c *Comm, items iter.Seq[T], work func(context.Context, T) (R, error), o loopOptions, yield func(Result[R], error) bool) error {
	if err := cmp.Or(c.idle("map"), o.checkSlots()); err != nil {
		return err
	}
	if err := cmp.Or(check[T](c, "map"), check[R](c, "map")); err != nil {
		return err
	}
	leave, err := c.enter("map")
	if err != nil {
		return err
	}
	defer leave()
	a := announcement{op: opFromRoot, length: loop.Unknown}
	if c.IsRoot() && items == nil {
		a.refuse = mismatch("rank 0 has no items: it must pass a sequence to MapFromRoot, and the other ranks nil")
	}
	if err := fromRootShared(ctx, c, a, items, work, &o, yield); err != nil {
		return c.errorf("map", err)
	}
	return nil
}

// fromRootShared is one rank's part in the loop.
func fromRootShared[T, R any](ctx context.Context, c *Comm, a announcement, items iter.Seq[T], work func(context.Context, T) (R, error), o *loopOptions, yield func(Result[R], error) bool) (failed error) {
	book, err := openLogbook[T, R](c, o)
	if err == nil {
		defer book.closeInto(&failed)
	}
	a.refuse = cmp.Or(a.refuse, err)
	l, err := c.startLoop(ctx, a, nil, *o)
	if err != nil {
		return err
	}
	defer func() { l.finish(&failed) }()
	own := labour[*loop.Input]{
		slots: l.slots, options: o,
		do: func(ctx context.Context, t loop.Task, in *loop.Input) loop.Item {
			item, err := itemOf[T](c, in)
			if err != nil {
				return failedItem(c, t.Index, err)
			}
			return tryItem(ctx, c, t, item, work, o)
		},
	}
	if !c.IsRoot() {
		own.worker = l.worker()
		own.next = nextInput(own.worker)
		return own.run(ctx)
	}
	defer feed(ctx, l, items, book)()
	if l.rootWorks {
		own.worker = l.worker()
		own.next = nextInput(own.worker)
		defer beside(ctx, own.run)()
	}
	return yieldResults(ctx, l, book.records, yield)
}

// nextInput returns the items that have travelled to a Worker.
func nextInput(w *loop.Worker) func(context.Context) (*loop.Input, loop.Task, bool, error) {
	return func(ctx context.Context) (*loop.Input, loop.Task, bool, error) {
		t, ok, err := w.Next(ctx)
		return t.Input, t, ok, err
	}
}

// inputOf makes an item ready to travel, or an error in its place.
func inputOf[T any](c *Comm, item T) loop.Input {
	var in loop.Input
	var err error
	if c.Size() == 1 {
		in.Own, err = value.Own(c.codec, item)
	} else {
		in.Payload, err = value.Encode(c.codec, item)
	}
	if err != nil {
		in.Payload = value.Payload(errorPayload(err))
	}
	return in
}

// itemOf is the opposite of inputOf.
func itemOf[T any](c *Comm, in *loop.Input) (item T, err error) {
	if c.Size() == 1 && in.Payload.Format != value.FormatError {
		item, _ = in.Own.(T) // not ok for a nil interface alone
		return item, nil
	}
	return decode[T](c, unshared(in.Payload, in.Large()))
}

// feedWait is how long a loop that ends early waits for its sequence.
const feedWait = time.Second

// feeder gives a loop the items of a sequence.
type feeder struct {
	server   *loop.Server
	ended    chan struct{} // closed when the sequence has returned
	panicked any           // the value of its panic
}

// feed starts to give the loop the items of a sequence. The returned function
// waits for the end of that, when the loop is over.
func feed[T any](ctx context.Context, l *managed, items iter.Seq[T], book *logbook[T]) (wait func()) {
	f := &feeder{server: l.server, ended: make(chan struct{})}
	go f.run(func() {
		if !f.server.Room(ctx) {
			return
		}
		index := 0
		for item := range items {
			finished, err := book.offer(index, &item, f.server)
			if err != nil {
				f.server.Reject(l.comm.fromRank(0, err))
				return
			}
			if !finished {
				if _, ok := f.server.Add(inputOf(l.comm, item)); !ok {
					return
				}
			}
			if index++; !f.server.Room(ctx) {
				return
			}
		}
		f.server.NoMore()
	})
	return f.wait
}

// run goes through the sequence.
func (f *feeder) run(walk func()) {
	defer close(f.ended)
	returned := false
	defer func() {
		if returned {
			return
		}
		err := unreturned("the sequence of items has ended")
		f.panicked = recover()
		f.server.Reject(f.server.Errors.OfRank(0, err))
	}()
	walk()
	returned = true
}

// wait waits for the end of the sequence, for a while. It panics as that has.
func (f *feeder) wait() {
	timer := time.NewTimer(feedWait)
	defer timer.Stop()
	select {
	case <-f.ended:
		if f.panicked != nil {
			panic(f.panicked)
		}
	case <-timer.C:
	}
}
