package dlp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// Executor runs functions on the ranks of a job, for the body of Execute. Its
// methods, and those of its Funcs and Futures, may be called from several
// goroutines.
type Executor struct {
	managed *managed
	kinds   map[callable]int // by function, its number on all ranks
	book    *taskbook

	mu       sync.Mutex
	added    int             // how many tasks
	pending  map[int]settler // by the index of their tasks
	refused  []settler       // whose tasks nobody will do, for a reason that is not known yet
	over     bool
	ended    error // if over: why, nil if all was done
	rejected sync.Once

	closing bool          // body has returned
	drained chan struct{} // closed when that is so, and no task is pending
	failed  failedTasks
}

// settler is a Future of any type.
type settler interface {
	// settle says what has become of the task: item, or err in its place.
	settle(item loop.Item, err error)

	// unasked is the error of the task if it has failed and nobody knows yet.
	unasked() error
}

func newExecutor(l *managed, funcs []callable, book *taskbook) *Executor {
	ex := &Executor{managed: l, book: book, kinds: map[callable]int{}, pending: map[int]settler{}, drained: make(chan struct{})}
	for kind, f := range funcs {
		ex.kinds[f] = kind
	}
	return ex
}

// Slots returns how many tasks all ranks together work on at once.
func (ex *Executor) Slots() int { return ex.managed.total }

var (
	errExecutorOver = errors.New("this executor is over: submit in the body of Execute")
	errNotGiven     = errors.New("this function was not given to Execute")
)

// errCancelled is why a future has failed whose task was cancelled.
var errCancelled = fmt.Errorf("the task was cancelled before a rank had it: %w", context.Canceled)

// submit adds a task, whose future is told what becomes of it. look says whether
// it is finished, if it gets this index.
func (ex *Executor) submit(f callable, in loop.Input, future settler, look func(index int) (done loop.Item, finished bool, err error)) (index int, ok bool) {
	kind, known := ex.kinds[f]
	if !known {
		future.settle(loop.Item{}, errNotGiven)
		return 0, false
	}
	in.Kind = kind
	ex.mu.Lock()
	defer ex.mu.Unlock()
	if ex.over || ex.closing {
		err := ex.ended
		if err == nil {
			err = errExecutorOver
		}
		future.settle(loop.Item{}, err)
		return 0, false
	}
	done, finished, err := look(ex.added)
	switch {
	case err != nil:
		ex.reject(err)
	case finished:
		index, ok = ex.managed.server.AddFinished(done)
	default:
		index, ok = ex.managed.server.Add(in)
	}
	if ok {
		ex.added++
		ex.pending[index] = future
	} else {
		ex.refused = append(ex.refused, future)
	}
	return index, ok
}

// cancel withdraws a task, unless a rank has it.
func (ex *Executor) cancel(index int) bool {
	in := loop.Input{Payload: value.Payload(errorPayload(errCancelled))}
	ex.mu.Lock()
	defer ex.mu.Unlock()
	future, ok := ex.pending[index]
	if !ok || !ex.managed.server.Withdraw(index, in) {
		return false
	}
	ex.remove(index)
	future.settle(loop.Item{}, errCancelled)
	return true
}

// collect tells futures what has become of their tasks, until there are no more
// or ctx ends.
func (ex *Executor) collect(ctx context.Context) {
	for {
		results, over, err := ex.managed.server.Take(ctx)
		if len(results) > 0 {
			if unsafe := ex.book.record(results); unsafe != nil {
				ex.reject(unsafe) // at the end the futures get the error
				continue
			}
		}
		for _, item := range results {
			ex.settle(item)
		}
		if over {
			ex.end(err)
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// settle tells the future of a task what has become of that.
func (ex *Executor) settle(item loop.Item) {
	ex.mu.Lock()
	defer ex.mu.Unlock()
	future, ok := ex.pending[item.Index]
	if !ok {
		return
	}
	future.settle(item, nil)
	if item.HasFailed() {
		ex.failed.add(future)
	}
	ex.remove(item.Index)
}

// remove forgets a task that is done. The caller holds mu.
func (ex *Executor) remove(index int) {
	delete(ex.pending, index)
	ex.drain()
}

// close takes no more tasks, and has drained closed when all are done.
func (ex *Executor) close() {
	ex.mu.Lock()
	defer ex.mu.Unlock()
	ex.closing = true
	ex.drain()
}

// drain closes drained if it is time. The caller holds mu.
func (ex *Executor) drain() {
	if !ex.closing || len(ex.pending) > 0 {
		return
	}
	select {
	case <-ex.drained:
	default:
		close(ex.drained)
	}
}

// reject ends the executor since its journal cannot be used.
func (ex *Executor) reject(err error) {
	ex.rejected.Do(func() { ex.managed.server.Reject(ex.managed.comm.fromRank(0, err)) })
}

// abandon ends the executor early. The other ranks get err, too.
func (ex *Executor) abandon(err error) {
	ex.managed.server.Leave(err)
	ex.end(err)
}

// end tells the futures that are left why nothing will become of their tasks. The
// first reason stays.
func (ex *Executor) end(err error) {
	ex.mu.Lock()
	defer ex.mu.Unlock()
	if ex.over {
		return
	}
	ex.over, ex.ended = true, err
	if err == nil {
		err = errExecutorOver
	}
	for _, future := range ex.pending {
		future.settle(loop.Item{}, err)
	}
	for _, future := range ex.refused {
		future.settle(loop.Item{}, err)
	}
	clear(ex.pending)
	ex.refused = nil
}

// TaskOption changes how a task is done.
type TaskOption interface{ applyTask(*taskOptions) }

type taskOptions struct{ timeout time.Duration }

type taskOption func(*taskOptions)

func (o taskOption) applyTask(t *taskOptions) { o(t) }

// TaskTimeout ends the ctx of a task when it has worked for d. A function that
// does not heed its ctx goes on.
func TaskTimeout(d time.Duration) TaskOption {
	return taskOption(func(o *taskOptions) { o.timeout = d })
}
