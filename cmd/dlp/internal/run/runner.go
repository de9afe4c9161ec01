// Package run runs the process of an item: in a session and process group of
// its own, on its own processors, with its output kept apart, and ended as a
// whole when its time is up, when it is asked to stop, and when this process
// dies.
package run

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// Runner starts processes. Its methods may be called at the same time.
type Runner struct {
	guard   *launch.Guard
	spool   string
	null    *os.File
	paths   sync.Map // of programs, by name
	started atomic.Int64

	mu      sync.Mutex
	running map[*leader]bool
	killed  bool
}

// NewRunner returns a Runner whose files, which have no names, are in the
// directory spool. It must be closed.
func NewRunner(spool string) (*Runner, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	guard, err := launch.StartGuard(spool)
	if err != nil {
		null.Close()
		return nil, err
	}
	return &Runner{guard: guard, spool: spool, null: null, running: make(map[*leader]bool)}, nil
}

// Kill kills what runs at once, and keeps anything else from being started.
func (r *Runner) Kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.killed = true
	for p := range r.running {
		p.kill(true)
	}
}

// Close kills all that has been started and is left, in any process group.
func (r *Runner) Close() {
	r.Kill()
	r.guard.End()
	r.null.Close()
}

// Output returns an output that nothing has been written to.
func (r *Runner) Output() *Output { return &Output{spool: r.spool} }

// Spec is what to run.
type Spec struct {
	Args    []string // the program first
	Environ []string // without the variable of the guard
	Stdin   []byte   // nil: /dev/null
	Input   *os.File // in place of Stdin, if not nil
	Slot    int      // from 0; nothing else runs in it
	CPUs    []int    // nil: those of this process
	Timeout time.Duration
	Grace   time.Duration                 // from SIGTERM to SIGKILL
	Files   [2]*os.File                   // stdout and stderr; nil: kept in Result
	Started func()                        // is called when the process has its files; nil: nobody asks
	Tap     func(stream int, data []byte) // is shown what is kept, as it comes; nil: nobody
}

// Result is what has become of a process.
type Result struct {
	Started  time.Time
	Took     time.Duration
	Pid      int            // 0: it did not start
	Status   int            // as a shell has it: 128 + n for signal n
	Signal   syscall.Signal // that has ended it, if one has
	TimedOut bool
	Stopped  bool       // it was ended because ctx was, or by Kill
	Err      error      // why it did not start
	Out      [2]*Output // stdout and stderr
}

// Close lets go of the output.
func (r *Result) Close() {
	r.Out[0].Close()
	r.Out[1].Close()
}
