package main

import (
	"errors"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/command"
	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/source"
)

// parseMap reads the command line of dlp map.
func parseMap(c *cli.Context) (*options, error) {
	program, arguments := source.Cut(c.Args().Slice())
	o := &options{
		source: source.Spec{
			Arguments: arguments, Range: c.String("range"), File: c.String("arg-file"),
			NUL: c.Bool("null"), Separator: c.String("colsep"), Pack: c.Int("n"), Block: blockOf(c),
		},
		command:      program,
		mode:         command.Mode{Shell: c.Bool("shell"), Stdin: c.Bool("stdin-item") || c.Bool("pipe")},
		worker:       c.String("worker"),
		json:         c.Bool("json"),
		slots:        c.Int("j"),
		cpusPerItem:  c.Int("cpus-per-item"),
		gpusPerItem:  c.Int("gpus-per-item"),
		bind:         !c.Bool("no-bind"),
		keepOrder:    c.Bool("keep-order"),
		tag:          c.Bool("tag"),
		lineBuffer:   c.Bool("line-buffer"),
		results:      c.String("results"),
		resultsLocal: c.String("results-local"),
		retries:      c.Int("retries"),
		timeout:      time.Duration(*c.Generic("timeout").(*duration)),
		maxFailures:  c.Int("max-failures"),
		failFast:     c.Bool("fail-fast"),
		failed:       c.String("failed"),
		grace:        defaultGrace,
		stopBefore:   time.Duration(*c.Generic("stop-before").(*duration)),
		delay:        time.Duration(*c.Generic("delay").(*duration)),
		journal:      c.String("journal"),
		retryFailed:  c.Bool("retry-failed"),
		joblog:       c.String("joblog"),
		timeline:     c.String("timeline"),
		dryRun:       c.Bool("dry-run"),
		progress:     c.Bool("progress"),
		quiet:        c.Bool("quiet"),
	}
	if c.IsSet("grace") {
		o.grace = time.Duration(*c.Generic("grace").(*duration))
	}
	if c.IsSet("j") && o.slots < 1 {
		return nil, usage("-j %d: a rank runs at least one item at once", o.slots)
	}
	switch {
	case c.IsSet("block") && !c.Bool("pipe"):
		return nil, usage("--block is for --pipe")
	case c.Bool("pipe") && len(program) == 0:
		return nil, usage("--pipe gives each COMMAND lines on stdin, and there is none")
	}
	o.source.Commands = len(program) == 0 && o.worker == ""
	return o, o.check()
}

// check holds what only the whole command line shows.
func (o *options) check() error {
	if err := o.source.Check(); err != nil {
		return usage("%w", err)
	}
	var err error
	if o.template, err = command.Parse(o.command, o.mode); err != nil {
		return usage("%w", err)
	}
	switch {
	case o.worker != "" && (len(o.command) > 0 || o.mode != command.Mode{}):
		return usage("--worker gets the items on stdin: there is no other COMMAND, --shell or --stdin-item")
	case o.worker != "" && (o.lineBuffer || o.resultsLocal != ""):
		return usage("--line-buffer and --results-local are for commands that are started for each item, not for --worker")
	case o.source.Commands && o.source.Pack > 1:
		return usage("-n is for a COMMAND or --worker: here each line is a command of its own")
	case o.retryFailed && o.journal == "":
		return usage("--retry-failed is for --journal")
	case o.json && o.worker == "":
		return usage("--json is for --worker")
	case o.cpusPerItem < 1:
		return usage("--cpus-per-item %d: an item needs a processor", o.cpusPerItem)
	case o.gpusPerItem < 0 || o.retries < 0 || o.maxFailures < 0:
		return usage("a number is negative")
	case o.results != "" && o.resultsLocal != "":
		return usage("output is kept in one place: --results or --results-local")
	case o.lineBuffer && (o.results != "" || o.resultsLocal != "" || o.keepOrder):
		return usage("--line-buffer is for output that is printed as it comes, not for --keep-order and --results")
	}
	return nil
}

// duration is a flag that takes 90s, 10m, or plain seconds.
type duration time.Duration

func (d *duration) Set(text string) error {
	value, err := time.ParseDuration(text)
	if err != nil {
		var seconds float64
		seconds, err = strconv.ParseFloat(text, 64)
		value = time.Duration(seconds * float64(time.Second))
	}
	if err != nil || value < 0 {
		return errors.New("want a duration such as 90s or 10m, or a number of seconds")
	}
	*d = duration(value)
	return nil
}

func (d *duration) String() string { return "" }
