package dlp

import (
	"errors"
	"runtime"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
)

// errGoexit is why a function of the user has not returned, where that was no
// panic.
var errGoexit = errors.New("its goroutine was ended by runtime.Goexit, as t.FailNow does")

// errLeft stands for why a loop body has been left by no statement, until that is
// known.
var errLeft = errors.New("left by no statement")

// ending is by what a deferred function runs.
type ending int

const (
	returning ending = iota
	panicking
	goexiting
)

// unwinding says by what the deferred function runs that calls it, or a function
// further up. To recover would tell, too, but it would leave marks in the stack
// that a panic prints.
func unwinding() ending {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		switch f.Function {
		case "runtime.Goexit":
			return goexiting
		case "runtime.gopanic":
			return panicking
		}
		if !more {
			return returning
		}
	}
}

func byGoexit() bool { return unwinding() == goexiting }

// unreturned is why a function of the user has not returned, in a deferred
// function: what says, by a panic or by runtime.Goexit.
func unreturned(what string) error {
	if byGoexit() {
		return errors.New(what + ": " + errGoexit.Error())
	}
	return errors.New(what + " by a panic; its own output says why")
}

// leaveLoop ends this rank's part of a loop, in a deferred function. The intent
// is loop.Panic if the loop was left by no statement.
func leaveLoop(w *loop.Worker, left loop.Intent, err error) {
	if left == loop.Panic && byGoexit() {
		left, err = loop.Fail, errGoexit
	}
	w.Leave(left, err)
}
