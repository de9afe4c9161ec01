package dlp

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/dlp-mpi/dlp-go/ame"
)

// Ibarrier begins a Barrier and does not wait: the Request is done when all ranks
// have called it. All ranks must call it, in the same order as their other calls
// of Ibarrier and Iallreduce on c, but in any order with the collectives that
// wait. A rank that does not is an ErrMismatch, from Wait, on all ranks.
//
// The Request cannot be cancelled. After an error c does not work any more.
func (c *Comm) Ibarrier() *Request {
	r := newRequest(c, "ibarrier", 0, 0)
	if err := c.idle(r.op); err != nil {
		r.finish(Status{}, err)
		return r
	}
	c.behind.add(c, r, func(ctx context.Context, b *Comm, call ame.Call) error {
		_, err := b.ame.Allgather(ctx, call, ame.Payload{})
		return err
	})
	return r
}

// Iallreduce begins an Allreduce and does not wait. The result is put in *into,
// which must not be used before the Request is waited for, and keeps what it had
// if there is an error. Neither must memory that v shares be changed before: that
// of a slice of numbers or bytes. op runs in another goroutine; its panic is an
// error on all ranks.
//
// All ranks must call it, in the order that Ibarrier says, whose other rules hold
// as well. What of Allreduce is an error after which c works is one from Wait.
func Iallreduce[T any](c *Comm, v T, into *T, op func(T, T) T) *Request {
	r := newRequest(c, "iallreduce", 0, 0)
	_, err := readyToFold(c, r.op, op)
	if err == nil && into == nil {
		err = c.errorf(r.op, errNoPlace)
	}
	if err != nil {
		r.finish(Status{}, err)
		return r
	}
	p, failed := encode(c, v)
	c.behind.add(c, r, func(ctx context.Context, b *Comm, call ame.Call) error {
		result, err := foldEncoded(ctx, b, call, p, failed, op, true, (*ame.Comm).Allreduce)
		if err == nil {
			*into = result
		}
		return err
	})
	return r
}

var errNoPlace = errors.New("it is given nil as the place for the value")

// behind does collectives in the background, one after the other in the order of
// their calls: all ranks have the same. The zero value is ready for use.
type behind struct {
	mu   sync.Mutex
	comm *Comm         // for them alone; nil: none yet
	last chan struct{} // closed when the last one is done; nil: none yet
}

// add begins a collective of c when those before it are done.
func (b *behind) add(c *Comm, r *Request, do func(ctx context.Context, b *Comm, call ame.Call) error) {
	r.withdraw = func() bool { return false }
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.comm == nil {
		b.comm = c.derived(c.ame.Beside())
	}
	before := b.last
	started := c.requests.background(func() {
		if before != nil {
			<-before
		}
		r.finish(Status{}, b.run(c, r, do))
	})
	if !started {
		r.finish(Status{}, c.errorf(r.op, ErrClosed))
		return
	}
	b.last = r.done
}

// run does a collective. A panic of the user's function would end the program
// where nobody can catch it.
func (b *behind) run(c *Comm, r *Request, do func(ctx context.Context, b *Comm, call ame.Call) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.Abort(fmt.Errorf("%s: panic: %v", r, v))
			err = c.errorf(r.op, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}
	}()
	return do(context.Background(), b.comm, ame.Call{Name: r.op, PC: r.pc})
}
