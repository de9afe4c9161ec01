package ame

import (
	"context"
	"time"
)

// link is a connection to another rank, over which whole frames travel in
// order. Any goroutine may write; only the holder of the token reads.
type link interface {
	// peer is the rank of the job at the other end.
	peer() int

	// write sends one frame. It blocks until the system has taken all of it.
	// After an error other than unsent a part of the frame may be on its way,
	// and the link takes no more of them.
	write(ctx context.Context, h header, body []byte) error

	// bodiesMayChange says so of all that have been written.
	bodiesMayChange()

	// reading is the right to call read and readFor.
	reading() *token

	// read returns the next frame, whose body is the caller's to keep. The
	// body of a frame for this rank is whole; chunks for other ranks come one
	// by one. After os.ErrDeadlineExceeded it may be called again and goes on
	// where it was; every other error is final.
	read() (header, []byte, error)

	// readFor lets reads go on for d at the most, and for half of it at the
	// least; 0: for ever.
	readFor(d time.Duration)

	// idle waits until no frame is being written.
	idle(ctx context.Context) error

	// closeWrite says that no frame will follow. What is on its way arrives.
	closeWrite()

	// close ends reads and writes, also those that are under way.
	close()

	// dismiss is close, with a last frame if the other end takes that soon. It
	// does not wait: what does, it spawns.
	dismiss(spawn func(func()), h header, body []byte)

	// sign says whether something has come since it was last called, or may
	// have come because nobody has read.
	sign() bool

	// quiet says whether nothing has been written since it was last called, and
	// nothing is being written.
	quiet() bool

	// shares takes a frame of the other end about memory in place of the
	// connection. The caller holds the token.
	shares(body []byte) error

	// over is closed by the owner of the token when nothing more will be read.
	over() chan struct{}
}

// unsent is the error of a write that ctx ended before its first byte.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }
