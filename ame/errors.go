package ame

import (
	"errors"
	"fmt"
)

// Sentinels for errors.Is. Each is wrapped by an *Error that says where.
var (
	ErrClosed   = errors.New("communicator closed")
	ErrLost     = errors.New("lost")
	ErrLeft     = errors.New("has closed its communicator")
	ErrAborted  = errors.New("aborted the job")
	ErrMismatch = errors.New("ranks are in different collectives")
	ErrRefused  = errors.New("not admitted to the job")
	ErrTimeout  = errors.New("ranks did not connect in time")
)

// Error says which call could not do its work, on which rank, and why. Ranks
// are those of the job, also in the error of a communicator that Split has made.
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
