package dlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/ame"
)

// Result is what has become of one item of MapUnordered.
type Result[R any] struct {
	Index    int // of the item
	Rank     int // that worked on it
	Value    R
	Err      error // an *ItemError, with OnError(Continue) only
	Duration time.Duration
}

// ItemError says on which item work has failed, and where.
type ItemError struct {
	Index int
	Rank  int
	Host  string
	Err   error  // from another rank it is a text only
	Stack []byte // if work has panicked, else nil
}

func (e *ItemError) Error() string {
	text := fmt.Sprintf("item %d on rank %d (%s): %v", e.Index, e.Rank, e.Host, e.Err)
	if e.Stack != nil {
		text += "\n" + string(e.Stack)
	}
	return text
}

func (e *ItemError) Unwrap() error { return e.Err }

// MapUnordered runs work on each item, on the ranks other than 0, and yields
// the results on rank 0 in the order in which they come. All ranks must range
// over it, with the same items; on the other ranks the loop has no iterations
// and ends with the loop.
//
// Rank 0's loop body never runs beside work in one process, unless RootWorks;
// a manager hands out indices meanwhile, a few at a time if they are quick.
// While more than 64 MiB of results wait for a slow body, no more items are
// handed out. With one rank, work and the body take turns. A value that work
// has returned belongs to the loop: work must not change its memory later.
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
	var o loopOptions
	for _, opt := range opts {
		opt.applyMap(&o)
	}
	return func(yield func(Result[R], error) bool) {
		if err := mapRange(ctx, c, items, work, o, yield); err != nil {
			yield(Result[R]{}, err)
		}
	}
}

// mapRange is one range over the loop.
func mapRange[T, R any](ctx context.Context, c *Comm, items *source[T], work func(context.Context, T) (R, error), o loopOptions, yield func(Result[R], error) bool) error {
	leave, err := c.enter("map")
	if err != nil {
		return err
	}
	defer leave()
	defer items.close()
	if c.Size() == 1 {
		err = mapAlone(ctx, c, items, work, o, yield)
	} else {
		err = mapShared(ctx, c, items, work, o, yield)
	}
	if err != nil {
		return c.errorf("map", err)
	}
	return nil
}

// mapAlone is the loop of a rank that is alone.
func mapAlone[T, R any](ctx context.Context, c *Comm, items *source[T], work func(context.Context, T) (R, error), o loopOptions, yield func(Result[R], error) bool) error {
	count := counter{total: items.length()}
	defer showProgress(o, count.state)()
	index := 0
	for item := range items.all() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f := callWork(ctx, c, index, item, work)
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
func mapShared[T, R any](ctx context.Context, c *Comm, items *source[T], work func(context.Context, T) (R, error), o loopOptions, yield func(Result[R], error) bool) error {
	l, err := c.startLoop(ctx, "map", items.length(), o.rootWorks, o)
	if err != nil {
		return err
	}
	defer l.finish()
	if !c.IsRoot() {
		return mapItems(ctx, c, l.worker(), items, work)
	}
	if o.rootWorks {
		workCtx, cancel := context.WithCancel(ctx)
		var own sync.WaitGroup
		defer own.Wait()
		defer cancel()
		// An error of this worker reaches the loop by way of the manager.
		own.Go(func() { _ = mapItems(workCtx, c, l.worker(), items, work) })
	}
	return yieldResults(ctx, c, l.server, yield)
}

// mapItems works on items until the manager sends the rank home.
func mapItems[T, R any](ctx context.Context, c *Comm, w *worker, items *source[T], work func(context.Context, T) (R, error)) (err error) {
	left := intentPanic // or runtime.Goexit, in work or in the sequence of the items
	defer func() { w.leave(left, err) }()
	for {
		item, index, ok, err := nextItem(ctx, w, items)
		if err == nil && ok {
			err = w.done(callWork(ctx, c, index, item, work))
		}
		if err != nil || !ok {
			left = intentError
			return err
		}
	}
}

// yieldResults is rank 0's part: it runs the loop body on what comes.
func yieldResults[R any](ctx context.Context, c *Comm, s *server, yield func(Result[R], error) bool) error {
	left := c.fromRank(0, errors.New("left the loop body by a panic; its own output says why"))
	defer func() { s.stop(left) }()
	for {
		results, over, err := s.take(ctx)
		if over {
			left = nil
			return err
		}
		for i := range results {
			if err = context.Cause(ctx); err != nil {
				break
			}
			r := resultOf[R](c, &results[i])
			results[i] = finished{} // lets go of the value
			if r.Err != nil && s.policy == Stop {
				s.reject(r.Err)
				continue
			}
			if !yield(r, nil) {
				left = nil
				return nil
			}
		}
		if err != nil {
			left = c.fromRank(0, err)
			return err
		}
	}
}

// callWork runs work on one item and keeps what becomes of it: on rank 0 as
// it is, elsewhere encoded for the way to rank 0.
func callWork[T, R any](ctx context.Context, c *Comm, index int, item T, work func(context.Context, T) (R, error)) (f finished) {
	f = finished{index: index, rank: c.Rank(), status: statusValue}
	start := time.Now()
	defer func() {
		if v := recover(); v != nil {
			f.duration = time.Since(start)
			f.setError(statusPanic, fmt.Errorf("panic: %v", v))
			f.stack = debug.Stack()
		}
	}()
	value, err := work(ctx, item)
	f.duration = time.Since(start)
	if err == nil && c.IsRoot() {
		f.value, f.size = value, sizeOf(value)
		return f
	}
	if err == nil {
		f.payload, err = encode(c.codec, value)
	}
	if err != nil {
		f.setError(statusError, err)
	}
	return f
}

// setError makes err what has become of the item.
func (f *finished) setError(s status, err error) {
	f.status, f.err = s, err
	f.payload = ame.Payload{Body: []byte(err.Error())}
}

// resultOf makes a finished item the Result that rank 0's loop yields.
func resultOf[R any](c *Comm, f *finished) Result[R] {
	r := Result[R]{Index: f.index, Rank: f.rank, Duration: f.duration}
	switch {
	case f.status != statusValue:
		r.Err = c.itemError(f)
	case f.rank == 0:
		r.Value, _ = f.value.(R) // not ok for a nil interface alone
	default:
		p := f.payload
		if p.Format != formatCodec && !f.large() {
			p.Body = bytes.Clone(p.Body) // or the value would keep all of its report in memory
		}
		var err error
		if r.Value, err = decode[R](c.codec, p); err != nil {
			f.setError(statusError, err)
			r.Err = c.itemError(f)
		}
	}
	return r
}

// itemError is the error of an item that has failed.
func (c *Comm) itemError(f *finished) *ItemError {
	err := f.err
	if err == nil {
		err = errors.New(string(f.payload.Body))
	}
	return &ItemError{Index: f.index, Rank: f.rank, Host: c.host(f.rank), Err: err, Stack: f.stack}
}
