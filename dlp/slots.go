package dlp

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
)

// Slots lets this rank work on up to n items of MapUnordered at once, each in a
// goroutine of its own; without it on one. Ranks may pass different numbers: on
// rank 0 it counts where that works (RootWorks, or a job of one rank). Work must
// be ready for being called from several goroutines. It learns from Slot in
// which of the n slots it is. When the rank is lost, so are all items that it
// held.
func Slots(n int) WorkOption { return workOption(func(o *loopOptions) { o.slots = n }) }

// Slot returns in which slot of its rank work has been called, 0 .. n-1 with
// Slots(n): no two calls of work on a rank have the same one at the same time.
// ctx is the one that work was given, or one made from it.
func Slot(ctx context.Context) int {
	slot, _ := ctx.Value(slotKey{}).(int)
	return slot
}

type slotKey struct{}

// checkSlots returns an error if the options ask for no slot.
func (o *loopOptions) checkSlots() error {
	if o.slots < 1 {
		return fmt.Errorf("Slots(%d): a rank works on at least one item at once", o.slots)
	}
	return nil
}

// labour is what a rank does with the items of a loop.
type labour[X any] struct {
	worker  *loop.Worker
	slots   int
	options *loopOptions

	// next returns the item to work on. With ok == false the loop is over for
	// this rank. One goroutine at a time calls it.
	next func(context.Context) (item X, t loop.Task, ok bool, err error)

	// do works on an item. It may be called from several goroutines.
	do func(ctx context.Context, t loop.Task, item X) loop.Item
}

// run works on items until the manager sends the rank home, and returns why the
// loop has failed. A panic or runtime.Goexit in a slot is one of run.
func (l *labour[X]) run(ctx context.Context) (err error) {
	left := loop.Panic // or runtime.Goexit, in work or in the sequence of the items
	defer func() { leaveLoop(l.worker, left, err) }()
	workCtx, end := worksUntilCut(ctx, l.worker, l.options)
	defer end()
	if l.slots == 1 {
		err = l.alone(ctx, workCtx)
	} else {
		err = l.together(ctx, workCtx)
	}
	left = loop.Fail
	return err
}

// alone is run with one slot.
func (l *labour[X]) alone(ctx, workCtx context.Context) error {
	for {
		item, t, ok, err := l.next(ctx)
		if err == nil && ok {
			err = l.work(workCtx, 0, t, item)
		}
		if err != nil || !ok {
			return err
		}
	}
}

// work works on an item and reports what has become of it.
func (l *labour[X]) work(ctx context.Context, slot int, t loop.Task, item X) error {
	done := l.do(ctx, t, item)
	done.Slot = slot
	if isCut(ctx, &done) {
		return l.worker.Undone(done)
	}
	return l.worker.Done(done)
}

// together is run with several slots.
func (l *labour[X]) together(ctx, workCtx context.Context) error {
	c := crew[X]{labour: l, turn: make(chan struct{}, 1)}
	taking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c.stop = stop
	var slots sync.WaitGroup
	for i := range l.slots {
		slots.Go(func() { c.slot(i, context.WithValue(workCtx, slotKey{}, i), taking) })
	}
	slots.Wait()
	switch {
	case c.panicked != nil:
		panic(c.panicked)
	case c.left:
		runtime.Goexit()
	}
	return c.err
}

// errSlotLeft ends the other slots of a rank.
var errSlotLeft = errors.New("another slot of this rank was left by a panic or runtime.Goexit")

// crew are the slots of one rank.
type crew[X any] struct {
	*labour[X]
	stop context.CancelCauseFunc // takes no more items

	turn chan struct{} // has a value while a slot takes an item: no mutex, since that may take long
	over bool          // there are no more; whose turn it is has it

	mu       sync.Mutex
	err      error // the first one
	panicked any   // the value of the first panic
	left     bool  // a slot has ended by runtime.Goexit
}

// slot works on items until there are no more, or another slot has failed.
func (c *crew[X]) slot(number int, ctx, taking context.Context) {
	returned := false
	defer func() {
		if !returned {
			c.unfinished(recover())
		}
	}()
	for {
		item, t, ok, err := c.take(number, taking)
		if err == nil && ok {
			err = c.work(ctx, number, t, item)
		}
		if err != nil {
			c.fail(err)
		}
		if err != nil || !ok {
			returned = true
			return
		}
	}
}

// take is next for one slot after the other.
func (c *crew[X]) take(slot int, ctx context.Context) (item X, t loop.Task, ok bool, err error) {
	c.turn <- struct{}{}
	c.worker.Turn(slot)
	defer func() { <-c.turn }()
	if c.over {
		return item, t, false, nil
	}
	c.over = true // also if next does not return
	item, t, ok, err = c.next(ctx)
	c.over = err != nil || !ok
	return item, t, ok, err
}

func (c *crew[X]) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		c.stop(err)
	}
}

// unfinished notes that a slot has ended by a panic with a value, or by
// runtime.Goexit if it is nil.
func (c *crew[X]) unfinished(value any) {
	c.fail(errSlotLeft)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = true
	if c.panicked == nil {
		c.panicked = value
	}
}
