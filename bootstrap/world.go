package bootstrap

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/control"
	"github.com/dlp-mpi/dlp-go/internal/program"
)

// World is what a process must know to join its job.
type World struct {
	Method string // name of the method that found it
	Place

	// Root is rank 0: on rank 0 its own endpoint, elsewhere what is known of
	// it so far, the zero value if nothing is. With Size 1 it holds the job's
	// name alone.
	Root Endpoint

	// Newer waits for another endpoint of rank 0 than Root and those that it has
	// returned before; if ctx ends it returns an error that says what it has
	// waited for. Nil where Root is final: on rank 0, and where no endpoint of
	// another job can be about. It is for one goroutine at a time.
	Newer func(ctx context.Context) (Endpoint, error)

	// Listener is open on rank 0 of a job with Size > 1 and nil elsewhere.
	// Whoever gets the World closes it.
	Listener net.Listener

	// Listen opens a listener for direct links from other ranks, and returns
	// the addresses to try for it. Nil on rank 0 and if Size is 1.
	Listen func() (net.Listener, []string, error)

	// Program is what this process runs, for the ranks to compare.
	Program program.Program

	// Promised is how many ranks the environment announces when it announces
	// more than this job has, as in a batch script that forgot srun; else 0.
	Promised int

	// Warnings are for the user: what looks wrong with how the job was
	// started, and the remedy. They do not keep the job from running.
	Warnings []string

	report  func() (*Reporter, error) // nil: the launcher does not listen
	release func(failure error) error
	letGo   func()          // lets other processes be this rank; or nil
	hint    string          // what may be wrong if others do not come, or ""
	refused func() string   // why ranks were sent away before they got here; or nil
	doomed  context.Context // ends when the launcher knows that ranks will never come; or nil
}

// Reporter is a way to tell the launcher, besides the rendezvous and after it,
// how far the program is and whom it has lost.
type Reporter = control.Reporter

// Report opens a Reporter, nil if the launcher does not listen. Only ameexec
// does. It may be called at any time, and takes as long as ameexec does.
func (w *World) Report() (*Reporter, error) {
	if w.report == nil {
		return nil, nil
	}
	return w.report()
}

// Watch returns a ctx that also ends when the launcher reports that the job
// cannot come up because a rank has ended before all were connected;
// context.Cause then says which. So does rank 0 of a Slurm step when it is sure
// that a rank has given up. Other launchers do not tell. The
// caller calls stop when it no longer waits for ranks.
func (w *World) Watch(ctx context.Context) (watched context.Context, stop context.CancelFunc) {
	watched, cancel := context.WithCancelCause(ctx)
	stop = func() { cancel(nil) }
	if w.doomed == nil {
		return watched, stop
	}
	unhook := context.AfterFunc(w.doomed, func() { cancel(context.Cause(w.doomed)) })
	return watched, func() {
		unhook()
		cancel(nil)
	}
}

// Release gives back what the rendezvous kept for ranks still on their way,
// such as a file in a shared directory. It is called once on every rank: with
// nil when all ranks are connected, else with the reason why this rank gives
// up. A second call does nothing. Listener stays open.
func (w *World) Release(failure error) error {
	if w.release == nil {
		return nil
	}
	release := w.release
	w.release = nil
	return release(failure)
}

// Clues says why ranks may not come, "" if nothing is known: why some were sent
// away before they could connect, and how this process was started. The former
// is what connections claim, and proves nothing: it is for messages.
func (w *World) Clues() string {
	var clues []string
	if w.refused != nil {
		if refused := w.refused(); refused != "" {
			clues = append(clues, "sent away before: "+refused)
		}
	}
	if w.hint != "" {
		clues = append(clues, w.hint)
	}
	return strings.Join(clues, "; ")
}

// check holds what every method promises about the World that it returns.
func (w *World) check() error {
	if err := w.Place.check(); err != nil || w.Size == 1 {
		return err
	}
	if w.Root.isZero() && w.Newer != nil {
		return nil
	}
	if w.Rank == 0 && w.Listener == nil {
		return errors.New("rank 0 does not listen")
	}
	return w.Root.check()
}

// abandon gives up a World that nobody will get.
func (w *World) abandon() {
	if w.Listener != nil {
		w.Listener.Close()
	}
	w.Release(errAbandoned)
	w.leave()
}

// leave lets another process of the task be this rank.
func (w *World) leave() {
	if w.letGo != nil {
		w.letGo()
		w.letGo = nil
	}
}

var errAbandoned = errors.New("this rank gives up")
