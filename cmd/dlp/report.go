package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// reportCommand is dlp report.
func reportCommand() *cli.Command {
	return &cli.Command{
		Name:            "report",
		Usage:           "say what is in the journal of a map or in a timeline, or draw it",
		UsageText:       "dlp report [--json] [--html FILE] [--svg FILE] [--trace FILE] JOURNAL|TIMELINE",
		Flags:           reportFlags(),
		HideHelpCommand: true,
		OnUsageError:    func(_ *cli.Context, err error, _ bool) error { return usage("%w", err) },
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usage("name one journal or timeline")
			}
			p, err := picturesOf(c)
			if err != nil {
				return err
			}
			r, err := p.report(c.Args().First())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return json.NewEncoder(c.App.Writer).Encode(r)
			}
			return r.print(c.App.Writer)
		},
	}
}

func reportFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object"},
	}, pictureFlags()...)
}

// optionsFirst moves options in front of the other arguments, as users write them
// behind the name of a file, too.
func optionsFirst(args []string, flags []cli.Flag) []string {
	takes := valued(flags)
	var options, others []string
	for i := 0; i < len(args); i++ {
		name := strings.TrimLeft(args[i], "-")
		if args[i] == "--" {
			others = append(others, args[i:]...)
			break
		}
		if name == args[i] || name == "" {
			others = append(others, args[i])
			continue
		}
		options = append(options, args[i])
		if takes[name] && i+1 < len(args) {
			i++
			options = append(options, args[i])
		}
	}
	return append(options, others...)
}

// report reads a file, of whichever kind it is, and draws what is wanted of it.
func (p *pictures) report(path string) (interface{ print(io.Writer) error }, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	head := make([]byte, 8)
	n, _ := io.ReadFull(file, head)
	if timeline.Is(head[:n]) {
		recorded, err := timeline.ReadFile(path)
		if err != nil {
			return nil, err
		}
		loops, err := p.choose(recorded.Loops)
		if err != nil {
			return nil, err
		}
		return reportTimeline(loops, recorded.Torn), p.write(loops)
	}
	s, err := readJournal(path, file)
	if err != nil {
		return nil, err
	}
	if !p.any() {
		if p.loop > 0 {
			return nil, usage("--loop chooses what is drawn of a journal: add --html, --svg or --trace")
		}
		return s, nil
	}
	loops, err := p.choose(s.loops())
	if err != nil {
		return nil, err
	}
	return s, p.write(loops)
}
