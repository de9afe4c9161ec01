package dlp

import (
	"context"
	"errors"
	"sync"

	"github.com/dlp-mpi/dlp-go/ame"
)

// Message is a message that Probe has found. It belongs to whoever has it: no
// other call can receive it.
type Message struct {
	comm   *Comm
	status Status

	mu   sync.Mutex
	body *ame.Message // nil when its value is taken
}

// Probe finds the message that Recv would receive, and waits until there is one.
// Its Status says what it is, and Take gives its value. A message that is never
// taken is lost. When ctx ends, none is found and c still works.
//
// Several goroutines may Probe at the same time: each gets a message of its own.
func Probe(ctx context.Context, c *Comm, source, tag int) (*Message, error) {
	if c == nil {
		return nil, &Error{Op: "probe", Rank: -1, Err: errNoComm}
	}
	m, err := c.ame.Recv(ctx, source, tag)
	if err != nil {
		return nil, err
	}
	return &Message{comm: c, status: statusOfMessage(m), body: &m}, nil
}

// Status says what the message is.
func (m *Message) Status() Status { return m.status }

// Take returns the value of a message, which is the caller's. T must be the type
// that was sent; another one is an error that names both, after which m can be
// taken as what it is. A message can be taken once.
func Take[T any](m *Message) (T, error) {
	const op = "take"
	var none T
	if m == nil {
		return none, &Error{Op: op, Rank: -1, Err: errors.New("the Message is nil")}
	}
	if err := check[T](m.comm, op); err != nil {
		return none, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.body == nil {
		return none, m.comm.errorf(op, errTaken)
	}
	v, err := incoming[T](m.comm, op, *m.body)
	if err == nil {
		m.body = nil
	}
	return v, err
}

var errTaken = errors.New("the message has been taken before")
