package dlp

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
)

// Request is a message that is sent or received, or a collective, while the
// program goes on: the result of Isend, Irecv, Ibarrier or Iallreduce. Every one must be waited for, by Wait, WaitAll or
// WaitAny, or be cancelled; those that are not, Close says.
type Request struct {
	comm   *Comm // nil in one that was given none
	op     string
	peer   int // rank of comm; of a message
	tag    int
	number uint64  // of the request on this rank
	pc     uintptr // of the call

	withdraw func() bool // see Cancel
	waited   atomic.Bool

	done   chan struct{} // closed when what follows is set
	status Status
	err    error
}

// Isend begins to send v as Send does, and does not wait. The message leaves
// while the program computes. Memory that v shares must not be changed before
// the Request is waited for: that of a slice of numbers or bytes. All else is
// read during the call.
//
// Messages to one rank leave in the order of the calls of Isend and Send. What
// keeps the message from being sent is the error of Wait, whose Status is empty.
func Isend[T any](c *Comm, v T, dest, tag int) *Request {
	r := newRequest(c, "isend", dest, tag)
	p, err := outgoing(c, r.op, v)
	if err != nil {
		r.finish(Status{}, err)
		return r
	}
	r.withdraw = func() bool {
		withdrawn := c.outbox.withdraw(r)
		if withdrawn {
			r.finish(Status{}, c.errorf(r.op, context.Canceled))
		}
		return withdrawn
	}
	if !c.outbox.add(c, &letter{request: r, payload: p}) {
		r.finish(Status{}, c.errorf(r.op, ErrClosed))
	}
	return r
}

// Irecv begins to receive a message as Recv does, and does not wait. The value
// is put in *into, which must not be used before the Request is waited for, and
// keeps what it had if there is an error. A message that several calls could
// take goes to the one that was called first.
func Irecv[T any](c *Comm, into *T, source, tag int) *Request {
	r := newRequest(c, "irecv", source, tag)
	if err := messaging[T](c, r.op); err != nil {
		r.finish(Status{}, err)
		return r
	}
	if into == nil {
		r.finish(Status{}, c.errorf(r.op, errNoPlace))
		return r
	}
	expected, err := c.ame.Expect(source, tag)
	if err != nil {
		r.finish(Status{}, err)
		return r
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.withdraw = func() bool {
		cancel()
		<-r.done
		return errors.Is(r.err, context.Canceled)
	}
	receive := func() {
		defer cancel()
		m, err := expected.Wait(ctx)
		if err != nil {
			r.finish(Status{}, err)
			return
		}
		v, err := incoming[T](c, r.op, m)
		if err == nil {
			*into = v
		}
		r.finish(statusOfMessage(m), err)
	}
	if !c.requests.background(receive) {
		receive() // with ErrClosed, since c is
	}
	return r
}

// newRequest is of an operation whose caller's caller is the user.
func newRequest(c *Comm, op string, peer, tag int) *Request {
	r := &Request{comm: c, op: op, peer: peer, tag: tag, done: make(chan struct{})}
	var pcs [1]uintptr
	runtime.Callers(3, pcs[:])
	r.pc = pcs[0]
	if c != nil {
		c.requests.add(r)
	}
	return r
}

func (r *Request) finish(s Status, err error) {
	r.status, r.err = s, err
	close(r.done)
}

// failed says whether r has ended with an error already.
func (r *Request) failed() bool {
	select {
	case <-r.done:
		return r.err != nil
	default:
		return false
	}
}

// Wait waits until the message is received, or the system has taken the one
// that is sent, and says what Recv or Send would have said. When ctx ends
// before, Wait returns its error and the Request goes on: it can be waited for
// again, or be cancelled. Once it is done every Wait returns the same.
func (r *Request) Wait(ctx context.Context) (Status, error) {
	select {
	case <-r.done:
		return r.result()
	default:
	}
	select {
	case <-r.done:
		return r.result()
	case <-ctx.Done():
		return Status{}, r.errorf(context.Cause(ctx))
	}
}

// result is that of a Request that is done and has been waited for.
func (r *Request) result() (Status, error) {
	r.settle()
	return r.status, r.err
}

// settle notes that nobody needs to wait for r any more.
func (r *Request) settle() {
	if !r.waited.Swap(true) && r.comm != nil {
		r.comm.requests.remove(r)
	}
}

// Cancel takes the Request back and says whether it has: then nothing was
// received or sent, the error of Wait is context.Canceled, and it need not be
// waited for. A message that has come cannot be taken back, nor one that leaves
// next or waits for nothing but the receiver (see EagerLimit); c works on in both
// cases.
func (r *Request) Cancel() bool {
	select {
	case <-r.done:
		return errors.Is(r.err, context.Canceled)
	default:
	}
	if !r.withdraw() {
		return false
	}
	r.settle()
	return true
}

func (r *Request) errorf(err error) error {
	if r.comm == nil {
		return &Error{Op: r.op, Rank: -1, Err: err}
	}
	return r.comm.errorf(r.op, err)
}

// String says what was asked for, and where.
func (r *Request) String() string {
	return r.what() + r.place()
}

// place is the source line of the call.
func (r *Request) place() string {
	if f, _ := runtime.CallersFrames([]uintptr{r.pc}).Next(); f.File != "" {
		return fmt.Sprintf(" (%s:%d)", filepath.Base(f.File), f.Line)
	}
	return ""
}

func (r *Request) what() string {
	if r.op != "isend" && r.op != "irecv" {
		return r.op
	}
	peer, way := fmt.Sprint("rank ", r.peer), "to"
	if r.op == "irecv" {
		way = "from"
	}
	if r.peer == AnySource {
		peer = "any rank"
	}
	if r.tag == AnyTag {
		return fmt.Sprintf("%s %s %s with any tag", r.op, way, peer)
	}
	return fmt.Sprintf("%s %s %s with tag %d", r.op, way, peer, r.tag)
}
