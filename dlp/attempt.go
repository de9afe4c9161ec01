package dlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
)

// Retries lets an item of MapUnordered on which work has returned an error have n
// more attempts, preferably on another rank; in a sequence on the same one, which
// alone has it. If all fail, the last error counts, with the number of attempts;
// see OnError. A panic is not tried again. The default is 0. What rank 0 passes
// counts, in a sequence what each rank passes.
func Retries(n int) WorkOption { return workOption(func(o *loopOptions) { o.retries = max(0, n) }) }

// Attempt returns which attempt at its item this is, from 1: more after an error,
// with Retries, and after the loss of a rank that held the item. ctx is the one
// that work was given, or one made from it.
func Attempt(ctx context.Context) int {
	if n, ok := ctx.Value(attemptKey{}).(int); ok {
		return n
	}
	return 1
}

type attemptKey struct{}

// ItemTimeout ends the ctx of work when it has worked on an item for d, with a
// cause that says so and is context.DeadlineExceeded. An error that work then
// returns is that of the item, and names the timeout.
//
// Work that is not back 10 s later hangs. Its rank then prints the item's stack
// on stderr and ends its process with status 124, so that it is lost and the item
// goes to another rank; see OnLoss. On rank 0, and on the ranks of Run, the stack
// is all: the loop goes on waiting.
func ItemTimeout(d time.Duration) WorkOption {
	return workOption(func(o *loopOptions) { o.timeout, o.overrun = d, overrunWait })
}

const (
	// overrunWait is how long work may go on after the end of its ctx.
	overrunWait = 10 * time.Second

	// statusOverrun is the status of a rank whose work hangs, as that of timeout(1).
	statusOverrun = 124
)

// timeoutError is the cause of the end of an item's ctx.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("the ItemTimeout of %v is over", e.after) }

func (e *timeoutError) Unwrap() error { return context.DeadlineExceeded }

// tryItem is one attempt at an item.
func tryItem[T, R any](ctx context.Context, c *Comm, t loop.Task, item T, work func(context.Context, T) (R, error), o *loopOptions) loop.Item {
	if t.Attempt > 1 {
		ctx = context.WithValue(ctx, attemptKey{}, t.Attempt)
	}
	if o.timeout <= 0 {
		return callWork(ctx, c, t.Index, item, work)
	}
	cause := &timeoutError{o.timeout}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, cause)
	defer cancel()
	self := goroutine()
	var settled atomic.Bool // it is back, or this rank ends
	hangs := time.AfterFunc(o.timeout+o.overrun, func() {
		if settled.CompareAndSwap(false, true) {
			c.overrun(t.Index, self, o)
		}
	})
	defer hangs.Stop()
	done := callWork(ctx, c, t.Index, item, work)
	settled.Store(true)
	if done.Status == loop.Failed && context.Cause(ctx) == error(cause) {
		err := error(cause)
		if done.Err != context.DeadlineExceeded && !errors.Is(done.Err, cause) {
			err = fmt.Errorf("%w: %w", cause, done.Err)
		}
		setError(&done, loop.Failed, err)
	}
	return done
}

// doItem works on an item that this rank was given. In a sequence no other rank
// could go back to it.
func doItem[T, R any](ctx context.Context, c *Comm, t loop.Task, item T, work func(context.Context, T) (R, error), o *loopOptions) loop.Item {
	if o.sequence {
		return tryHere(ctx, c, t.Index, item, work, o)
	}
	return tryItem(ctx, c, t, item, work, o)
}

// retriesElsewhere is how often rank 0 hands an item out again.
func (o *loopOptions) retriesElsewhere() int {
	if o.sequence {
		return 0
	}
	return o.retries
}

// tryHere makes all attempts at an item one after the other.
func tryHere[T, R any](ctx context.Context, c *Comm, index int, item T, work func(context.Context, T) (R, error), o *loopOptions) loop.Item {
	for attempt := 1; ; attempt++ {
		done := tryItem(ctx, c, loop.Task{Index: index, Attempt: attempt}, item, work, o)
		if done.Status == loop.Failed && attempt <= o.retries && ctx.Err() == nil {
			continue
		}
		switch {
		case done.Status != loop.Failed:
			done.Attempt = attempt
		case attempt > 1:
			setError(&done, loop.Failed, lastAttempt(attempt, done.Err))
		}
		return done
	}
}

// lastAttempt is the error of an item that has had its attempts.
func lastAttempt(attempts int, err error) error {
	return fmt.Errorf("the last of %d attempts: %w", attempts, err)
}

// overrun ends this rank, since its work on an item hangs.
func (c *Comm) overrun(index int, self goroutineName, o *loopOptions) {
	what := "its rank ends"
	if c.IsRoot() || c.exit == nil {
		what = "the loop waits for it"
	}
	fmt.Fprintf(os.Stderr, "dlp: item %d on rank %d (%s) still runs, %v after its ctx has ended by the ItemTimeout of %v; %s:\n%s\n",
		index, c.Rank(), c.host(c.Rank()), o.overrun, o.timeout, what, self.stack())
	if !c.IsRoot() && c.exit != nil {
		c.exit(statusOverrun)
	}
}

// goroutineName is how the stack of a goroutine begins: "goroutine 7 ".
type goroutineName string

// goroutine returns the name of the goroutine that calls it.
func goroutine() goroutineName {
	var b [64]byte
	text := b[:runtime.Stack(b[:], false)]
	end := bytes.IndexByte(text, '[')
	return goroutineName(text[:max(0, end)])
}

// maxStacks bounds what is looked through for one stack, in bytes.
const maxStacks = 64 << 20

// stack returns the stack of the goroutine.
func (g goroutineName) stack() []byte {
	for size := 1 << 20; ; size *= 2 {
		b := make([]byte, size)
		n := runtime.Stack(b, true)
		if n == size && size < maxStacks {
			continue
		}
		for _, one := range bytes.Split(b[:n], []byte("\n\n")) {
			if bytes.HasPrefix(one, []byte(g)) {
				return one
			}
		}
		return []byte(string(g) + "has ended, or cannot be found among very many")
	}
}
