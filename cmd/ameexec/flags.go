package main

import (
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/dlp-mpi/dlp-go/bootstrap"
)

const (
	// defaultGrace is the time between SIGTERM and SIGKILL when a rank has
	// failed: the others have nothing to finish.
	defaultGrace = 5 * time.Second

	// defaultPatience is that time when somebody has sent SIGTERM to ameexec.
	// It is Slurm's, KillWait in slurm.conf(5).
	defaultPatience = 30 * time.Second
)

func newApp(stdout io.Writer, flags []cli.Flag, action cli.ActionFunc) *cli.App {
	return &cli.App{
		Name:      "ameexec",
		Usage:     "start the ranks of a job on this machine",
		UsageText: "ameexec [-n N] [options] PROGRAM [ARGS...] [: -n K PROGRAM2 [ARGS...]]...",
		Version:   bootstrap.Version(),
		Description: "The exit status is that of the rank that failed first, 128+n for signal n,\n" +
			"127 if a program was not found, 126 if it is not executable, 124 after --timeout.\n" +
			"What follows PROGRAM belongs to it; -- ends the options before it.\n\n" +
			"Ctrl-C is passed on to all ranks twice, the third one kills them.",
		Flags:           flags,
		Action:          action,
		HideHelpCommand: true, // "help" may be somebody's program
		Writer:          stdout,
		ErrWriter:       io.Discard, // the front prints errors
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return withStatus(statusUsage, "%w; see ameexec --help", err)
		},
	}
}

// partFlags may be given for each program.
func partFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "n", Aliases: []string{"np"}, Value: new(rankCount), Usage: "start `N` ranks", DefaultText: "one per usable core, and no more than a CPU quota allows"},
		&cli.GenericFlag{Name: "x", Value: &exports{}, Usage: "set `NAME[=VALUE]` for the ranks; without a value, that of ameexec"},
		&cli.StringFlag{Name: "wdir", Usage: "start the ranks in `DIR`", DefaultText: "the current directory"},
	}
}

// jobFlags are given once, before the first program.
func jobFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "label", Aliases: []string{"l"}, DisableDefaultText: true, Usage: "begin every line with its rank, as srun -l does"},
		&cli.StringFlag{Name: "output-dir", Usage: "write rank-R.out and rank-R.err in `DIR` instead of stdout and stderr"},
		&cli.IntFlag{Name: "pty", Value: -1, Usage: "give stdin and the terminal to `RANK`, -1: to none", DefaultText: "stdin to rank 0 if it is no terminal"},
		&cli.GenericFlag{Name: "timeout", Value: new(duration), Usage: "stop the job after `DURATION` (90s, 10m, or seconds)", DefaultText: "never"},
		&cli.GenericFlag{Name: "grace", Value: new(duration), Usage: "kill ranks `DURATION` after SIGTERM", DefaultText: defaultGrace.String() + " when a rank has failed, " + defaultPatience.String() + " when ameexec gets SIGTERM"},
		&cli.BoolFlag{Name: "continue", DisableDefaultText: true, Usage: "let the other ranks run on when one fails"},
		&cli.StringFlag{Name: "bind-to", Value: "none", Usage: "bind each rank to one core in turn, or to none: `WHAT` is core or none"},
		&cli.StringFlag{Name: "pmi", Value: "1", Usage: "serve programs of MPICH and its relatives by PMI `VERSION` 1, or none"},
		&cli.BoolFlag{Name: "debug", DisableDefaultText: true, Usage: "print method, endpoints, pids and exit statuses on stderr"},
	}
}
