// Ameexec starts the ranks of a job on this machine: a subset of mpiexec that
// needs no server and no installation.
//
//	ameexec [-n N] [options] PROGRAM [ARGS...] [: -n K PROGRAM2 [ARGS...]]...
//
// # Exit status
//
// Zero if every rank ended with zero; else the status of the rank that failed
// first, 128+n if signal n killed it. 127: a program was not found; 126: it
// cannot be executed; 124: --timeout has passed; 2: wrong options. Every
// failed rank gets a line on stderr with rank, pid, host and status.
//
// When a rank fails, the others have 100 ms to say why they end too, then get
// SIGTERM, and SIGKILL after --grace; --continue lets them run on. SIGINT,
// SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP and SIGCONT are
// forwarded to every rank's process group; a second SIGINT kills at once. When
// the reader of stdout goes away (ameexec ... | head -1), the job ends with
// status 141.
//
// # Output
//
// What the ranks print is merged line by line, stdout and stderr apart, each
// line in one write; lines.go has the rules for unfinished lines. A job of one
// rank, and with --pty the rank at the terminal, writes straight to where
// ameexec writes.
//
// # Processes
//
// Ameexec is two processes. The one that the user started, the front, checks
// the command line, passes on signals and returns the exit status. It starts
// the second one, ame-launcher, in a session of its own; that is the parent of
// the ranks and does everything else. Each watches the other over a socket:
// whichever dies, and however, the other one kills all that is left and ends.
// On Linux both are subreapers (prctl(2), PR_SET_CHILD_SUBREAPER), so that
// processes which daemonize stay their descendants and are found. Elsewhere
// only the ranks' process groups are. Who kills both in the same moment (killall
// by a name that fits both) leaves what the ranks themselves have started.
//
// Variables by which other launchers describe their own job (PMI_*, PMIX_*,
// OMPI_*, SLURM_PROCID and the like) are not true of the ranks and are not
// passed on; -x NAME passes one on nevertheless.
//
// # MPI programs
//
// The ranks of a program that is linked with MPICH or one of its relatives
// (Intel MPI, MVAPICH) find each other by PMI-1, for which ameexec has a server;
// MPI_Abort's code becomes the exit status. Spawning processes and publishing
// names are refused. --pmi none switches it off. Programs of Open MPI have no
// PMI-1: each of them comes up as rank 0 of 1, and ameexec cannot tell.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/dlp-mpi/dlp-go/internal/clidoc"
)

// Exit statuses of ameexec itself.
const (
	statusError       = 1   // something on this machine went wrong
	statusUsage       = 2   // wrong options
	statusTimeout     = 124 // as timeout(1)
	statusNotRunnable = 126 // as sh(1)
	statusNotFound    = 127 // as sh(1)
	statusSignal      = 128 // plus the signal's number
)

func init() {
	// Ranks ask for a signal when the thread that started them dies, so that
	// must be the thread that lives as long as the process.
	runtime.LockOSThread()
}

func main() {
	if os.Args[0] == launcherName {
		os.Exit(launcherMain())
	}
	if clidoc.Describe(newApp(os.Stdout, append(partFlags(), jobFlags()...), nil), os.Args, os.Stdout) {
		return
	}
	os.Exit(frontMain(os.Args))
}

// statusErr is an error with the exit status it leads to.
type statusErr struct {
	status int
	err    error
}

func (e *statusErr) Error() string { return e.err.Error() }
func (e *statusErr) Unwrap() error { return e.err }

// withStatus returns an error that ends ameexec with status.
func withStatus(status int, format string, args ...any) error {
	return &statusErr{status, fmt.Errorf(format, args...)}
}

// statusOf returns the exit status that an error leads to.
func statusOf(err error) int {
	var with *statusErr
	if errors.As(err, &with) {
		return with.status
	}
	return statusError
}
