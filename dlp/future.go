package dlp

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
)

// Future is a task of an Executor, and what becomes of it.
type Future[R any] struct {
	ex    *Executor
	index int
	added bool // index is that of the task

	done    chan struct{} // closed when the following are set
	item    loop.Item
	err     error // in its place
	failed  bool
	resumed bool
	asked   atomic.Bool // somebody knows, or does not care
	decoded func() (R, error)

	mu       sync.Mutex
	watchers []func() // called when it is done
}

// Submit hands a over to a rank that is free, to call the function with. It does
// not wait: a may be changed when the future is done. Whoever submits much bounds
// it by waiting for results, or uses Map. On an executor that is over, and for a
// function that Execute was not given, the future has an error.
func (f *Func[A, R]) Submit(ex *Executor, a A, opts ...TaskOption) *Future[R] {
	future := &Future[R]{ex: ex, done: make(chan struct{})}
	future.decoded = sync.OnceValues(future.decode)
	if ex == nil {
		future.settle(loop.Item{}, errExecutorOver)
		return future
	}
	var o taskOptions
	for _, opt := range opts {
		opt.applyTask(&o)
	}
	in := inputOf(ex.managed.comm, a)
	in.Timeout = o.timeout
	future.index, future.added = ex.submit(f, in, future, func(index int) (loop.Item, bool, error) {
		return f.look(ex.book, index, &a)
	})
	return future
}

// settle implements settler.
func (f *Future[R]) settle(item loop.Item, err error) {
	f.mu.Lock()
	f.item, f.err, f.failed, f.resumed = item, err, item.HasFailed(), item.Resumed
	close(f.done)
	watchers := f.watchers
	f.watchers = nil
	f.mu.Unlock()
	for _, tell := range watchers {
		tell()
	}
}

// watch has tell called when the future is done.
func (f *Future[R]) watch(tell func()) {
	f.mu.Lock()
	select {
	case <-f.done:
		f.mu.Unlock()
		tell()
	default:
		f.watchers = append(f.watchers, tell)
		f.mu.Unlock()
	}
}

// unasked implements settler.
func (f *Future[R]) unasked() error {
	if !f.failed || f.asked.Load() {
		return nil
	}
	_, err := f.decoded()
	return err
}

// outcome is what Result returns.
func (f *Future[R]) outcome() (R, error) {
	f.asked.Store(true)
	return f.decoded()
}

// decode is what Result returns of a future that is done.
func (f *Future[R]) decode() (r R, err error) {
	if f.err != nil {
		return r, f.ex.errorOf(f.err)
	}
	result := resultOf[R](f.ex.managed.comm, &f.item)
	f.item = loop.Item{}
	return result.Value, result.Err
}

// errorOf words why nothing has become of a task.
func (ex *Executor) errorOf(err error) error {
	if ex == nil {
		return &Error{Op: opExecute, Rank: -1, Err: err}
	}
	return ex.managed.comm.errorf(opExecute, err)
}

// Result waits for the task and returns its result. If the task has failed or
// panicked, the error is an *ItemError with the number of the task, in the order of
// Submit, and the rank that has done it; if nothing has become of it, why: it was
// cancelled (context.Canceled), or the executor has ended. When ctx ends before,
// that is the error, and the task goes on. Result may be called again.
func (f *Future[R]) Result(ctx context.Context) (R, error) {
	select {
	case <-f.done:
		return f.outcome()
	default:
	}
	select {
	case <-f.done:
		return f.outcome()
	case <-ctx.Done():
		var none R
		return none, f.ex.errorOf(context.Cause(ctx))
	}
}

// Resumed says whether the result is that of an earlier start, see Journal. It is
// false until the future is done.
func (f *Future[R]) Resumed() bool {
	select {
	case <-f.done:
		return f.resumed
	default:
		return false
	}
}

// Done returns a channel that is closed when Result does not wait any more.
func (f *Future[R]) Done() <-chan struct{} { return f.done }

// Cancel withdraws the task if no rank has it yet, and says whether it has. A rank
// is given quick tasks a few at a time. If the task fails after all, that is no
// error of Execute.
func (f *Future[R]) Cancel() bool {
	f.asked.Store(true)
	return f.added && f.ex.cancel(f.index)
}

// AsCompleted yields futures as they are done, those first that are done first.
// When ctx ends before, that is the one error, and the last one that is yielded. A
// future whose task has failed is yielded like the others: its Result says so.
func AsCompleted[R any](ctx context.Context, fs ...*Future[R]) iter.Seq2[*Future[R], error] {
	return func(yield func(*Future[R], error) bool) {
		arrived := make(chan *Future[R], len(fs))
		for _, f := range fs {
			f.watch(func() { arrived <- f })
		}
		for range fs {
			select {
			case f := <-arrived:
				if !yield(f, nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			}
		}
	}
}

// Map calls the function with each argument and yields the results in the order
// of the arguments. At most ahead tasks, 1 or more, are submitted whose results
// are not yielded yet: twice Executor.Slots keeps all ranks busy. At most one error
// is yielded, last: that of the first task that has failed, as Result returns it,
// or of ctx. Then, and after a break, what is left of the tasks is cancelled.
func (f *Func[A, R]) Map(ctx context.Context, ex *Executor, args iter.Seq[A], ahead int) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var queue []*Future[R]
		defer func() {
			for _, future := range queue {
				future.Cancel()
			}
		}()
		first := func() (more bool) {
			r, err := queue[0].Result(ctx)
			queue = queue[1:]
			return yield(r, err) && err == nil
		}
		for a := range args {
			queue = append(queue, f.Submit(ex, a))
			if len(queue) >= ahead && !first() {
				return
			}
		}
		for len(queue) > 0 && first() {
			continue
		}
	}
}
