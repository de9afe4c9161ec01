package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/command"
	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/source"
)

// defaultGrace is what items have to end when dlp is asked to stop: Slurm kills
// 30 s after it has asked, and what they have printed is to be saved.
const defaultGrace = 20 * time.Second

// mapCommand is dlp map; args are its arguments.
func mapCommand(args []string) *cli.Command {
	return &cli.Command{
		Name:            "map",
		Usage:           "run a command for each item",
		UsageText:       "dlp map [options] [COMMAND [ARGS...]] [::: ITEM...]",
		Flags:           mapFlags(),
		HideHelpCommand: true,
		OnUsageError:    func(_ *cli.Context, err error, _ bool) error { return usage("%w", err) },
		Action: func(c *cli.Context) error {
			o, err := parseMap(c)
			if err != nil {
				return err
			}
			o.args = args
			return o.run()
		},
	}
}

func mapFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "arg-file", Aliases: []string{"a"}, Usage: "read items from `FILE`, one a line; without a COMMAND these are commands", DefaultText: "stdin"},
		&cli.BoolFlag{Name: "null", Aliases: []string{"0"}, DisableDefaultText: true, Usage: "items end with a NUL byte in place of a newline"},
		&cli.StringFlag{Name: "colsep", Aliases: []string{"C"}, Usage: "cut lines into columns {1} {2}.. at `TEXT`"},
		&cli.StringFlag{Name: "range", Usage: "the items are the numbers `FIRST-LAST[:STEP]`"},
		&cli.IntFlag{Name: "n", Value: 1, Usage: "`N` items for one command"},
		&cli.BoolFlag{Name: "shell", DisableDefaultText: true, Usage: "give COMMAND to sh as one line, with items quoted"},
		&cli.BoolFlag{Name: "stdin-item", DisableDefaultText: true, Usage: "give COMMAND the item on stdin"},

		&cli.BoolFlag{Name: "pipe", DisableDefaultText: true, Usage: "cut the lines into blocks, and give each COMMAND one on stdin: with -n, N lines"},
		&cli.GenericFlag{Name: "block", Value: new(size), Usage: "a block of --pipe has lines of `SIZE` (500k, 1M) at most; a longer line is one of its own", DefaultText: "1M"},

		&cli.StringFlag{Name: "worker", Usage: "start `COMMAND` once for each slot; it gets items as lines on stdin and answers each by a line"},
		&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "talk JSON with workers: {\"index\": .., \"item\": ..}, answered by {\"value\": ..} or {\"error\": ..}"},

		&cli.IntFlag{Name: "j", Aliases: []string{"jobs"}, Usage: "run `N` items at once on each rank", DefaultText: "its processors / cpus-per-item"},
		&cli.IntFlag{Name: "cpus-per-item", Value: 1, Usage: "`N` processors for each item"},
		&cli.IntFlag{Name: "gpus-per-item", Usage: "`N` GPUs for each item, of those that the rank was given", DefaultText: "0"},
		&cli.BoolFlag{Name: "no-bind", DisableDefaultText: true, Usage: "do not bind items to processors"},

		&cli.BoolFlag{Name: "keep-order", Aliases: []string{"k"}, DisableDefaultText: true, Usage: "print output in the order of the items"},
		&cli.BoolFlag{Name: "tag", DisableDefaultText: true, Usage: "begin every line of output with its item, or the number of its block, and a tab"},
		&cli.BoolFlag{Name: "line-buffer", Aliases: []string{"lb"}, DisableDefaultText: true, Usage: "print lines as they come"},
		&cli.StringFlag{Name: "results", Usage: "keep output in `DIR`/N.out and N.err, written by rank 0, in place of printing it"},
		&cli.StringFlag{Name: "results-local", Usage: "the same in `DIR` of the node where the item runs"},

		&cli.IntFlag{Name: "retries", Usage: "run an item that fails `N` more times", DefaultText: "0"},
		&cli.GenericFlag{Name: "timeout", Value: new(duration), Usage: "end an item after `DURATION` (90s, 10m, or seconds)", DefaultText: "never"},
		&cli.IntFlag{Name: "max-failures", Usage: "start nothing more when `N` items have failed", DefaultText: "no limit"},
		&cli.BoolFlag{Name: "fail-fast", DisableDefaultText: true, Usage: "when an item fails, end all others"},
		&cli.StringFlag{Name: "failed", Usage: "write the items that have failed to `FILE`, to be read by -a"},
		&cli.GenericFlag{Name: "grace", Value: new(duration), Usage: "what runs may go on for `DURATION` when dlp is asked to stop", DefaultText: defaultGrace.String()},
		&cli.GenericFlag{Name: "stop-before", Value: new(duration), Usage: "stop `DURATION` before the end of the Slurm job", DefaultText: "never"},
		&cli.GenericFlag{Name: "delay", Value: new(duration), Usage: "hand out one item in `DURATION`", DefaultText: "0s"},

		&cli.StringFlag{Name: "journal", Usage: "keep in `FILE` what is done, and skip that when started again"},
		&cli.BoolFlag{Name: "retry-failed", DisableDefaultText: true, Usage: "run the items again that have failed, as the journal says"},
		&cli.StringFlag{Name: "joblog", Usage: "write a line for each item to `FILE`, as GNU parallel does"},
		&cli.StringFlag{Name: "timeline", Usage: "record in `FILE` when and where items ran, for dlp report; if it ends in .html, draw that at the end"},
		&cli.BoolFlag{Name: "dry-run", DisableDefaultText: true, Usage: "print the commands and run none"},
		&cli.BoolFlag{Name: "progress", DisableDefaultText: true, Usage: "show how far it is: a bar on a terminal, a line every 30 s elsewhere"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "no summary at the end"},
	}
}

// options are what the command line says.
type options struct {
	args    []string // behind dlp map
	source  source.Spec
	command []string
	mode    command.Mode

	template *command.Template
	worker   string // a command for the shell; "": none
	json     bool

	slots       int // of each rank; 0: as many as there are processors for
	cpusPerItem int
	gpusPerItem int
	bind        bool

	keepOrder    bool
	tag          bool
	lineBuffer   bool
	results      string
	resultsLocal string

	retries     int
	timeout     time.Duration
	maxFailures int // 0: no limit
	failFast    bool
	failed      string
	grace       time.Duration
	stopBefore  time.Duration // 0: not
	delay       time.Duration

	journal     string
	retryFailed bool

	joblog   string
	timeline string
	dryRun   bool
	progress bool
	quiet    bool
}
