package ame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Sentinels for errors.Is. Each is wrapped by an *Error that says where.
var (
	ErrClosed   = errors.New("communicator closed")
	ErrLost     = errors.New("lost")
	ErrLeft     = errors.New("has closed its communicator")
	ErrAborted  = errors.New("aborted the job")
	ErrMismatch = errors.New("ranks are in different collectives")
	ErrTimeout  = errors.New("ranks did not connect in time")
)

// Error says which call could not do its work, on which rank, and why.
type Error struct {
	Op   string // "connect", "send", "gather", ...
	Rank int    // who reports
	Peer int    // about whom; -1 if about no single rank
	Host string // of Peer, "" if unknown
	Err  error
}

func (e *Error) Error() string {
	return fmt.Sprintf("ame: %s: rank %d: %s", e.Op, e.Rank, e.about())
}

// about is the part of the message behind the rank that reports it.
func (e *Error) about() string {
	switch {
	case e.Peer < 0:
		return e.Err.Error()
	case e.Host == "":
		return fmt.Sprintf("rank %d: %v", e.Peer, e.Err)
	}
	return fmt.Sprintf("rank %d on %s: %v", e.Peer, e.Host, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// causeText is what an error of this package says behind the name of the
// rank that reports it, for an Error on another rank to quote.
func causeText(err error) string {
	if e, ok := err.(*Error); ok {
		return fmt.Sprintf("%s: %s", e.Op, e.about())
	}
	return err.Error()
}

// failure is why a job cannot go on. It travels to every rank in a kindFail
// frame, so that all of them say the same.
type failure struct {
	reason reason
	peer   int // the rank that it is about; -1: no single one
	text   string
	cause  error // of this rank alone: does not travel
}

// reason is a byte of the protocol.
type reason uint8

const (
	reasonLost reason = 1 + iota
	reasonAborted
	reasonMismatch
	reasonGaveUp
	reasonStartup
)

func (f *failure) Error() string {
	switch f.reason {
	case reasonLost:
		return "lost: " + f.text + "; its own output says why"
	case reasonAborted:
		return "aborted the job: " + f.text
	case reasonGaveUp:
		return "gave up: " + f.text
	default:
		return f.text
	}
}

func (f *failure) Unwrap() error { return f.cause }

func (f *failure) Is(target error) bool {
	switch f.reason {
	case reasonLost:
		return target == ErrLost
	case reasonAborted:
		return target == ErrAborted
	case reasonMismatch:
		return target == ErrMismatch
	case reasonStartup:
		return target == ErrTimeout
	}
	return false
}

// noRank is the wire form of the rank of a failure that is about no single one.
const noRank = math.MaxUint32

// maxFailureText bounds, in bytes, what a rank tells the others of a cause.
const maxFailureText = 64 << 10

// appendTo appends the wire form: reason, rank, text.
func (f *failure) appendTo(b []byte) []byte {
	b = append(b, byte(f.reason))
	b = binary.BigEndian.AppendUint32(b, uint32(f.peer))
	return append(b, f.text[:min(len(f.text), maxFailureText)]...)
}

func parseFailure(b []byte, size int) (*failure, error) {
	if len(b) < 5 {
		return nil, fmt.Errorf("fail frame of %d bytes, want at least 5", len(b))
	}
	peer := binary.BigEndian.Uint32(b[1:])
	f := &failure{reason: reason(b[0]), peer: int(peer), text: string(b[5:])}
	switch {
	case peer == noRank:
		f.peer = -1
	case int64(peer) >= int64(size):
		return nil, fmt.Errorf("fail frame about rank %d of %d", peer, size)
	}
	return f, nil
}
