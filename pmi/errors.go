package pmi

import (
	"errors"
	"fmt"
)

// Why there is no PMI server to talk to; Detect and Open wrap one of them.
var (
	// ErrAbsent: no PMI launcher set its variables.
	ErrAbsent = errors.New("not started by a PMI launcher")

	// ErrStale: the variables are there and the connection is not. They come
	// from a launcher further up; whoever started this process is another one.
	ErrStale = errors.New("the PMI variables are left over")

	// ErrLost: as ErrStale, but the launcher is hydra, and it closes the
	// connection of a process only after its first PMI program. To go on
	// without PMI would give every such process a job of its own.
	ErrLost = errors.New("the connection to mpiexec is gone")
)

// ErrBusy is wrapped by the error of Open if another process that has inherited
// the connection is using it.
var ErrBusy = errors.New("another program of this task is using the connection to the launcher")

// ErrNoKey is wrapped by the error of a Get whose key nobody has put.
var ErrNoKey = errors.New("no such key")

// Error tells what a Client could not do. The Client is then of no more use:
// a late reply could be taken for that of a later request. An ErrNoKey, and a
// key or value that was refused before it was sent, leave it intact.
type Error struct {
	Op   string // the command: "init", "put", "barrier_in", ...
	Rank int    // who reports
	Err  error
}

func (e *Error) Error() string {
	return fmt.Sprintf("pmi: rank %d: %s: %v", e.Rank, e.Op, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// JobError tells why a Server gave its job up.
type JobError struct {
	Rank int // who caused it

	// Aborted is set when the rank asked for it, with the exit status that
	// the launcher shall have, 0..255. It is 1 in all other cases.
	Aborted bool
	Status  int

	Err error
}

func (e *JobError) Error() string {
	return fmt.Sprintf("pmi: rank %d: %v", e.Rank, e.Err)
}

func (e *JobError) Unwrap() error { return e.Err }
