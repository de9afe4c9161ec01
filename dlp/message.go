package dlp

import (
	"context"
	"errors"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// AnySource and AnyTag match every source or tag in Recv, Irecv and Probe.
const (
	AnySource = ame.AnySource
	AnyTag    = ame.AnyTag
)

// MaxTag is the largest tag of a message.
const MaxTag = ame.MaxTag

// EagerLimit is how many bytes of messages, 128 for each one included, a rank can
// Send to another one on a Comm, without any of them being received, before Send
// waits. To itself it can Send any number.
const EagerLimit = ame.EagerLimit

// Status says what a message was.
type Status struct {
	Source int // rank that has sent it
	Tag    int
	Bytes  int // of the value as it has travelled
}

// Send sends v to rank dest of c, which gets it by a Recv, Irecv or Probe with
// this rank and tag. The tag is a number from 0 to MaxTag that the program
// chooses. A rank may send to itself. Messages are not collective, and may be
// sent and received anywhere, inside a loop on the same Comm and from several
// goroutines too.
//
// Messages from one rank to another one on one Comm do not overtake each other:
// of two that a Recv could take, it takes the one that was sent first.
//
// Send returns when the system has taken the message, which says nothing about
// its receipt; v may be changed then. The other rank's process takes messages
// in, whatever it does, and keeps them in memory until they are received. So
// Send does not wait for a Recv as long as less than EagerLimit bytes of what
// this rank has sent to dest on c are not received, this message not counted:
// two ranks that Send to each other and then Recv do not wait for each other
// for ever. Above that Send waits, and Isend or SendRecv is the way to exchange.
//
// A value that cannot travel is an error before anything is sent; the rank
// that waits for it goes on waiting. After that error, and one of a rank or tag
// that does not exist, c still works. When ctx ends before the message has
// begun to leave, as in a Send that waits, nothing is sent and c still works;
// when it ends in the middle, the job fails on all ranks, because a part of the message is on its
// way. Send to a rank that is lost, or has closed its Comm, is an error that
// is ErrLost or ErrLeft.
func Send[T any](ctx context.Context, c *Comm, v T, dest, tag int) error {
	p, err := outgoing(c, "send", v)
	if err != nil {
		return err
	}
	if err := c.outbox.wait(ctx, dest); err != nil {
		return c.errorf("send", err)
	}
	return c.ame.Send(ctx, dest, tag, p)
}

// Recv receives the first message that rank source of c has sent to this rank
// with the given tag; AnySource and AnyTag match all. It waits until there is
// one. The value is the caller's. T must be the type that was sent.
//
// A message that holds a value of another type is an error that names the
// rank and both types. It is taken nevertheless, and its Status is returned;
// Probe leaves the choice. When ctx ends, nothing is taken. After both c still
// works. Recv from a rank that has closed its Comm is ErrLeft once all that it
// had sent is received; when a rank of c is lost, every Recv is ErrLost that
// finds no message.
func Recv[T any](ctx context.Context, c *Comm, source, tag int) (T, Status, error) {
	const op = "recv"
	var none T
	if err := messaging[T](c, op); err != nil {
		return none, Status{}, err
	}
	m, err := c.ame.Recv(ctx, source, tag)
	if err != nil {
		return none, Status{}, err
	}
	v, err := incoming[T](c, op, m)
	return v, statusOfMessage(m), err
}

// messaging returns an error if values of type T cannot travel on c.
func messaging[T any](c *Comm, op string) error {
	if c == nil {
		return &Error{Op: op, Rank: -1, Err: errNoComm}
	}
	return check[T](c, op)
}

// errNoComm is of a call that was given nil in place of a Comm.
var errNoComm = errors.New("the Comm is nil, as is that of a rank which Split has left out")

// outgoing makes v the body of a message.
func outgoing[T any](c *Comm, op string, v T) (ame.Payload, error) {
	if err := messaging[T](c, op); err != nil {
		return ame.Payload{}, err
	}
	p, err := value.EncodeNamed(c.codec, v)
	if err != nil {
		return ame.Payload{}, c.errorf(op, err)
	}
	return ame.Payload(p), nil
}

// incoming is the opposite of outgoing.
func incoming[T any](c *Comm, op string, m ame.Message) (T, error) {
	v, err := value.DecodeNamed[T](c.codec, value.Payload(m.Payload))
	if err != nil {
		var none T
		return none, c.errorf(op, c.fromRank(m.Source, err))
	}
	return v, nil
}

func statusOfMessage(m ame.Message) Status {
	return Status{Source: m.Source, Tag: m.Tag, Bytes: value.NamedSize(value.Payload(m.Payload))}
}
