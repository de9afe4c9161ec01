// Package loop shares out the items of a loop among the ranks of a job: the
// engine of dlp.SplitManaged and dlp.MapUnordered.
//
// A Worker on each working rank asks for windows of indices and reports what
// has become of them. A Server on rank 0 answers. What it answers is decided
// by a manager, which is plain state.
//
// The package knows indices, payloads and opaque errors. Items, functions and
// types are its caller's, and so are the connections: see Link and Errors.
package loop

import (
	"context"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// Unknown is the number of items of a sequence whose end nobody has found.
const Unknown = -1

// AnyRank as the source of Link.Recv stands for all other ranks.
const AnyRank = -1

// Link carries the messages of one loop, and of nothing else. An error about
// one rank is a *PeerError. The loss of a rank ends only what waits for that
// rank alone.
type Link interface {
	// Send returns when the message is on its way. To a rank that has left
	// the job it does nothing: such a rank has said before that it leaves the
	// loop.
	Send(ctx context.Context, dest, tag int, p value.Payload) error

	// Recv returns the next message of a rank, or of AnyRank. A cancelled Recv
	// harms nothing.
	Recv(ctx context.Context, source int) (Message, error)

	// Told takes a message of a rank with this tag, if one has come, and says
	// whether it has.
	Told(source, tag int) bool

	// Lost waits until more ranks are lost than known, or ctx ends, and returns
	// why each of them is lost.
	Lost(ctx context.Context, known int) []*PeerError

	// Abort makes all calls on all ranks fail.
	Abort(cause error)
}

// Message is what has come over a Link.
type Message struct {
	value.Payload
	Source int
	Tag    int
}

// PeerError is an error of a Link about one rank.
type PeerError struct {
	Rank int
	Err  error
}

func (e *PeerError) Error() string { return e.Err.Error() }

func (e *PeerError) Unwrap() error { return e.Err }

// Errors words the errors of a loop and takes them to other ranks.
type Errors interface {
	OfRank(rank int, err error) error // names the rank and its node
	OfItem(item Item) error           // of an item that has failed

	// Encode returns the bytes from which Decode makes an error on another
	// rank that says the same.
	Encode(err error) []byte
	Decode(b []byte) error
}
