package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
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

// parse turns the command line into a plan. It returns nil without an error if
// the command line asked for help or the version, which are then printed.
func parse(args []string, stdout io.Writer) (*plan, error) {
	parts := splitParts(args[1:])
	p := &plan{Grace: defaultGrace, Patience: defaultPatience, StdinRank: -1}
	var shared program
	done := false
	first := newApp(stdout, append(partFlags(), jobFlags()...), func(c *cli.Context) error {
		done = true
		var err error
		if shared, err = parsePart(c, nil, len(parts) > 1); err != nil {
			return err
		}
		p.Programs = append(p.Programs, shared)
		return nil
	})
	first.Action = both(first.Action, func(c *cli.Context) error { return p.setJob(c) })
	if err := first.Run(append(args[:1:1], parts[0]...)); err != nil {
		return nil, err
	}
	if !done {
		return nil, nil
	}
	for i, part := range parts[1:] {
		app := newApp(stdout, partFlags(), func(c *cli.Context) error {
			more, err := parsePart(c, &shared, true)
			p.Programs = append(p.Programs, more)
			return err
		})
		app.HideHelp, app.HideVersion = true, true
		if err := app.Run(append(args[:1:1], part...)); err != nil {
			return nil, fmt.Errorf("program %d: %w (after a colon only -n, -x and --wdir may be given)", i+2, err)
		}
	}
	return p, p.check()
}

// splitParts cuts the command line at its colons.
func splitParts(args []string) [][]string {
	parts := [][]string{nil}
	for _, arg := range args {
		if arg == ":" {
			parts = append(parts, nil)
			continue
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], arg)
	}
	return parts
}

func newApp(stdout io.Writer, flags []cli.Flag, action cli.ActionFunc) *cli.App {
	return &cli.App{
		Name:      "ameexec",
		Usage:     "start the ranks of a job on this machine",
		UsageText: "ameexec [-n N] [options] PROGRAM [ARGS...] [: -n K PROGRAM2 [ARGS...]]...",
		Version:   bootstrap.Version(),
		Description: "The exit status is that of the rank that failed first, 128+n for signal n,\n" +
			"127 if a program was not found, 126 if it is not executable, 124 after --timeout.\n" +
			"What follows PROGRAM belongs to it; -- ends the options before it.",
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

func both(first, second cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := first(c); err != nil {
			return err
		}
		return second(c)
	}
}

// partFlags may be given for each program.
func partFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "n", Aliases: []string{"np"}, Usage: "start `N` ranks", DefaultText: "one per usable core"},
		&cli.GenericFlag{Name: "x", Value: &exports{}, Usage: "set `NAME[=VALUE]` for the ranks; without a value, that of ameexec"},
		&cli.StringFlag{Name: "wdir", Usage: "start the ranks in `DIR`", DefaultText: "the current directory"},
	}
}

// jobFlags are given once, before the first program.
func jobFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "label", Aliases: []string{"l"}, Usage: "begin every line with its rank, as srun -l does"},
		&cli.StringFlag{Name: "output-dir", Usage: "write rank-R.out and rank-R.err in `DIR` instead of stdout and stderr"},
		&cli.IntFlag{Name: "pty", Value: -1, Usage: "give stdin and the terminal to `RANK`, -1: to none", DefaultText: "stdin to rank 0 if it is no terminal"},
		&cli.GenericFlag{Name: "timeout", Value: new(duration), Usage: "stop the job after `DURATION` (90s, 10m, or seconds)", DefaultText: "never"},
		&cli.GenericFlag{Name: "grace", Value: new(duration), Usage: "kill `DURATION` after asking to terminate", DefaultText: defaultGrace.String()},
		&cli.BoolFlag{Name: "continue", Usage: "let the other ranks run on when one fails"},
		&cli.StringFlag{Name: "bind-to", Value: "none", Usage: "bind each rank to one `core` in turn, or none"},
		&cli.StringFlag{Name: "pmi", Value: "1", Usage: "start programs of MPICH and its relatives as one MPI job by PMI version `1`, or none"},
		&cli.BoolFlag{Name: "debug", Usage: "print method, endpoints, pids and exit statuses on stderr"},
	}
}

// parsePart reads one program; shared is the first one, whose -x holds for all.
func parsePart(c *cli.Context, shared *program, several bool) (program, error) {
	p := program{Ranks: runtime.NumCPU(), Args: c.Args().Slice()}
	if c.IsSet("n") {
		p.Ranks = c.Int("n")
	} else if shared != nil || several {
		return p, withStatus(statusUsage, "several programs: say with -n how many ranks each one has")
	}
	if p.Ranks < 1 {
		return p, withStatus(statusUsage, "-n %d: a job has at least one rank", p.Ranks)
	}
	if len(p.Args) == 0 {
		return p, withStatus(statusUsage, "no program given: ameexec -n %d PROGRAM [ARGS...]", p.Ranks)
	}
	if shared != nil {
		p.Environ = append(p.Environ, shared.Environ...)
	}
	x := c.Generic("x").(*exports)
	p.Environ = append(p.Environ, x.pairs...)
	p.missing = x.missing
	if p.Dir = c.String("wdir"); p.Dir != "" {
		if info, err := os.Stat(p.Dir); err != nil || !info.IsDir() {
			return p, withStatus(statusError, "--wdir %s: no such directory", p.Dir)
		}
	}
	var err error
	p.Path, err = findProgram(p.Args[0], p.Dir, os.Getenv("PATH"))
	return p, err
}

// setJob reads what holds for the whole job.
func (p *plan) setJob(c *cli.Context) error {
	p.Label = c.Bool("label")
	p.OutputDir = c.String("output-dir")
	p.Timeout = time.Duration(*c.Generic("timeout").(*duration))
	if c.IsSet("grace") {
		p.Grace = time.Duration(*c.Generic("grace").(*duration))
		p.Patience = p.Grace
	}
	p.Continue = c.Bool("continue")
	p.Debug = c.Bool("debug")
	switch bind := c.String("bind-to"); bind {
	case "core":
		p.BindCores = true
	case "none":
	default:
		return withStatus(statusUsage, "--bind-to %s: use core or none", bind)
	}

	switch version := c.String("pmi"); version {
	case "1":
		p.PMI = true
	case "none":
	default:
		return withStatus(statusUsage, "--pmi %s: use 1 or none", version)
	}

	terminal := isTerminal(os.Stdin)
	switch {
	case c.IsSet("pty"):
		p.StdinRank = c.Int("pty")
		p.Terminal = terminal && isTerminal(os.Stdout)
	case !terminal:
		p.StdinRank = 0
	}

	var err error
	if p.Host, err = os.Hostname(); err != nil {
		p.Host = "localhost"
	}
	if p.Job, err = bootstrap.UserJob(os.LookupEnv); p.Job == "" {
		p.Job = bootstrap.NewJob("ameexec")
	}
	return err
}

// check holds what only the whole command line shows.
func (p *plan) check() error {
	size := p.size()
	if p.StdinRank < -1 || p.StdinRank >= size {
		return withStatus(statusUsage, "--pty %d: the ranks are 0 to %d, -1 means none", p.StdinRank, size-1)
	}
	return checkLimits(size)
}

// exports collects -x. Values are taken as they are, commas and blanks too.
type exports struct {
	pairs   []string
	missing []string // names without a value that are not set here either
}

func (x *exports) Set(text string) error {
	name, _, hasValue := strings.Cut(text, "=")
	if name == "" {
		return errors.New("want NAME or NAME=VALUE")
	}
	if !hasValue {
		value, ok := os.LookupEnv(name)
		if !ok {
			x.missing = append(x.missing, name)
			return nil
		}
		text += "=" + value
	}
	x.pairs = append(x.pairs, text)
	return nil
}

func (x *exports) String() string { return "" }

// duration is a flag that takes 90s, 10m, or plain seconds.
type duration time.Duration

func (d *duration) Set(text string) error {
	value, err := time.ParseDuration(text)
	if err != nil {
		value, err = time.ParseDuration(text + "s")
	}
	if err != nil || value < 0 {
		return errors.New("want a duration such as 90s or 10m, or a number of seconds")
	}
	*d = duration(value)
	return nil
}

func (d *duration) String() string { return "" }

// isTerminal says whether file is a terminal. /dev/null is a device too, but
// none that a user types into.
func isTerminal(file *os.File) bool {
	return terminalAttributes(file) == nil
}
