// Ameexec starts the ranks of a job on this machine: a subset of mpiexec that
// needs no server and no installation.
//
//	ameexec [-n N] [options] PROGRAM [ARGS...] [: -n K PROGRAM2 [ARGS...]]...
//
// Without -n there is a rank for each usable core, but no more than a quota of
// processor time allows (cgroup cpu.max); under such a quota ranks get their
// share of it as GOMAXPROCS, at least 2, unless that is set. Options of other
// mpiexecs and of srun are accepted with a notice where a job on one machine is
// the same without them, and refused with a sentence where it is not.
//
// # Exit status
//
// Zero if every rank ended with zero; else the status of the rank that failed
// first, 128+n if signal n killed it. Of ranks that fail within 100 ms, one
// that a signal killed comes first, then one that others say they have lost
// (programs of package dlp do), and for which ameexec waits a second more. 127: a
// program was not found; 126: it cannot be executed; 124: --timeout has passed;
// 2: wrong options. Every failed rank gets a line on stderr with rank, pid, host
// and status, which also says when the kernel killed it for want of memory;
// those that ended because they had lost another one are counted in one line.
//
// When a rank fails, the others have those 100 ms to say why they end too, then
// get SIGTERM, and SIGKILL after --grace (5 s); --continue lets them run on.
//
// # Signals
//
// SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP and
// SIGCONT are forwarded to every rank's process group, two SIGINT at most: the
// third kills. 30 s after a SIGTERM, or after --grace, what is left is killed.
// Signals that ameexec was started to ignore (nohup) the ranks ignore too.
//
// # Output
//
// What the ranks print is merged line by line, stdout and stderr apart, each
// line in one write; package launch has the rules for unfinished lines. The
// progress of a loop, which rank 0 of a program of package dlp tells, is shown on
// the last line of the terminal, if stderr is one. A job of
// one rank, and with --pty the rank at the terminal, writes straight to where
// ameexec writes. Output that nobody takes (less, Ctrl-S) does not keep a job
// from being ended. When the reader of stdout goes away (ameexec ... | head -1),
// the job ends with status 141; when a write fails, also one to a file of
// --output-dir, with status 1.
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
// MPI_Abort's code becomes the exit status, and names that are published are
// found. Spawning processes is refused, with a line that says so, and so is
// PMI-2. --pmi none switches the server off. Programs of Open MPI have no PMI-1,
// nor have those of an MPICH that was built on PMIx (Ubuntu 24.04): each of them
// comes up as rank 0 of 1. Ameexec says so when a program is linked with such a
// library and no rank has used the server.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/dlp-mpi/dlp-go/internal/clidoc"
	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// Exit statuses of ameexec itself.
const (
	statusError       = 1 // something on this machine went wrong
	statusUsage       = launch.StatusUsage
	statusTimeout     = 124 // as timeout(1)
	statusNotRunnable = launch.StatusNotRunnable
	statusNotFound    = launch.StatusNotFound
	statusSignal      = launch.StatusSignal
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

// withStatus returns an error that ends ameexec with status.
func withStatus(status int, format string, args ...any) error {
	return &launch.StatusError{Status: status, Err: fmt.Errorf(format, args...)}
}

// statusOf returns the exit status that an error leads to.
func statusOf(err error) int {
	var with *launch.StatusError
	if errors.As(err, &with) {
		return with.Status
	}
	return statusError
}
