package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/dlp-mpi/dlp-go/internal/cpus"
	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// parse turns the command line into a plan. It returns nil without an error if
// the command line asked for help or the version, which are then printed.
func parse(args []string, stdout io.Writer) (*plan, error) {
	parts := splitParts(args[1:])
	var notices []string
	for i, part := range parts {
		flags := partFlags()
		if i == 0 {
			flags = append(flags, jobFlags()...)
		}
		translated, more, err := translate(part, flags)
		if err != nil {
			return nil, err
		}
		parts[i], notices = translated, append(notices, more...)
	}
	p := &plan{Notices: notices, Grace: defaultGrace, Patience: defaultPatience, StdinRank: -1}
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

func both(first, second cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := first(c); err != nil {
			return err
		}
		return second(c)
	}
}

// parsePart reads one program; shared is the first one, whose -x holds for all.
func parsePart(c *cli.Context, shared *program, several bool) (program, error) {
	p := program{Ranks: cpus.Usable(), Args: c.Args().Slice()}
	if c.IsSet("n") {
		p.Ranks = int(*c.Generic("n").(*rankCount))
	} else if shared != nil || several {
		return p, withStatus(statusUsage, "several programs: say with -n how many ranks each one has")
	}
	if len(p.Args) == 0 {
		return p, withStatus(statusUsage, "no program given: ameexec -n %d PROGRAM [ARGS...]", p.Ranks)
	}
	if !c.IsSet("n") {
		p.hint = misplaced(p.Args)
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
	p.Path, err = launch.FindProgram(p.Args[0], p.Dir, os.Getenv("PATH"))
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

	terminal := launch.IsTerminal(os.Stdin)
	switch {
	case c.IsSet("pty"):
		p.StdinRank = c.Int("pty")
		p.Terminal = terminal && launch.IsTerminal(os.Stdout)
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
