// Dlp runs commands over the items of a list, on all nodes of a job.
//
//	dlp map [options] [COMMAND [ARGS...]] [::: ITEM...]
//	dlp report [--json] [--html FILE] [--svg FILE] [--trace FILE] JOURNAL|TIMELINE
//
// Each line of stdin, or of -a FILE, is an item, and COMMAND runs once for each of
// them, as many at a time as there are processors. Without a COMMAND each line is
// a command for the shell. It needs no server, no shared file system and no
// installation but this file:
//
//	dlp map -a inputs.txt ./simulate --seed {}               on this machine
//	srun -N4 --ntasks-per-node=1 -c32 dlp map -a inputs.txt ./simulate --seed {}
//	sbatch -N4 --ntasks-per-node=1 -c32 --wrap 'dlp map -a inputs.txt ./simulate --seed {}'
//
// In a batch script, or the shell of salloc, it starts itself on all tasks with
// one srun, and says so. Under mpiexec and ameexec it works as under srun.
//
// # Items
//
// {} in COMMAND is the item, one argument whatever is in it; without {} it is
// the last argument. {1} {2} are columns (--colsep), {.} {/} {//} {/.} parts of a
// path as in GNU parallel, {#} is the number of the item and {%} that of the slot,
// both from 1. ::: A B ::: C D are all pairs, ::: A B :::+ C D are A C and B D. With
// --shell COMMAND is one line for sh, with items quoted.
//
// # Where
//
// A task (rank) of the job has as many slots as it has processors, divided by
// --cpus-per-item, so one task for each node is enough. Each slot has processors
// of its own, and GPUs with --gpus-per-item. An item's process finds DLP_ITEM,
// DLP_INDEX (from 0), DLP_RANK, DLP_SLOT (from 0), DLP_ATTEMPT (from 1) and
// OMP_NUM_THREADS, and none of the variables that make a process a rank, so that it
// may use mpiexec itself. DLP_ITEM is left out where an item is longer than
// 100 KiB or has a NUL byte.
//
// It is in a session and process group of its own, and ends as a whole with its
// --timeout, when dlp stops, and when dlp is killed.
//
// # Output
//
// What an item prints appears on stdout and stderr of rank 0 as one piece when it
// has ended; --keep-order, --tag and --line-buffer change that. --results keeps it in
// files there, --results-local on the node of the item. Until then it is kept in
// memory, and beyond 32 KiB in files without a name in TMPDIR.
//
// # Exit status
//
//	0      all items are done
//	1      some have failed, or something on this machine went wrong
//	2      wrong options
//	75     stopped before the end: start it again
//	128+n  signal n ended it
//
// # Signals
//
// SIGTERM, SIGUSR1, or Ctrl-C once: nothing more is started, and what runs has
// --grace to end. A second one kills what runs.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/dlp-mpi/dlp-go/internal/clidoc"
	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// Exit statuses.
const (
	statusFailed  = 1
	statusUsage   = launch.StatusUsage
	statusStopped = 75 // EX_TEMPFAIL of sysexits.h
)

func main() {
	if os.Args[0] == launch.GuardName {
		os.Exit(launch.GuardMain(os.Args))
	}
	if clidoc.Describe(newApp(nil), os.Args, os.Stdout) {
		return
	}
	os.Exit(dlpMain(os.Args))
}

// dlpMain returns the exit status.
func dlpMain(args []string) int {
	name := "dlp"
	var rest []string
	if len(args) > 1 && args[1] == "map" {
		name = "dlp map"
		rest = detach(args[2:], mapFlags())
		args = append(args[:2:2], rest...)
	}
	if len(args) > 1 && args[1] == "report" {
		name = "dlp report"
		args = append(args[:2:2], optionsFirst(args[2:], reportFlags())...)
	}
	err := newApp(rest).Run(args)
	if err == nil {
		return 0
	}
	with := &launch.StatusError{Status: statusFailed, Err: err}
	ofAll := errors.As(err, &with) // ranks
	switch {
	case with.Err == nil || ofAll && !isFirst(os.LookupEnv):
	case with.Status == statusUsage:
		fmt.Fprintf(os.Stderr, "%s: %v; see %s --help\n", name, err, name)
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	}
	return with.Status
}

// newApp is the command line; mapArgs are the arguments of dlp map.
func newApp(mapArgs []string) *cli.App {
	return &cli.App{
		Name:      "dlp",
		Usage:     "run a command over the items of a list, on all nodes of a job",
		UsageText: "dlp map [options] [COMMAND [ARGS...]] [::: ITEM...]",
		Version:   bootstrap.Version(),
		Commands:  []*cli.Command{mapCommand(mapArgs), reportCommand()},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("%q is no command of dlp: use map or report", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
		HideHelpCommand: true,
		ErrWriter:       io.Discard, // dlpMain prints errors
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    func(_ *cli.Context, err error, _ bool) error { return usage("%w", err) },
	}
}

// usage is an error of the command line.
func usage(format string, args ...any) error {
	return &launch.StatusError{Status: statusUsage, Err: fmt.Errorf(format, args...)}
}
