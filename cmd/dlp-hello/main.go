// Dlp-hello shows how a job was started and whether its ranks can talk.
//
//	dlp-hello [--ordered | --json]
//
// Start it as the program that is to run, with the same launcher and options:
//
//	srun -N2 -n8 dlp-hello
//
// Rank 0 prints how it was started: the backend, the bootstrap method and why
// it was chosen, the endpoint where it listens, and the methods that are not
// available, each with its reason. Then all ranks meet at a barrier, rank 0
// sends a number to each of them, and each sends it back with what it knows of
// itself; AME_TIMEOUT limits that as it limits the start. Last comes a line
// for every rank:
//
//	Hello from rank R of N on HOST (pid P)!
//
// Each rank prints its own, which shows that its output arrives, but launchers
// promise no order between ranks. With --ordered, rank 0 prints all of them, in
// the order of ranks. With --json, rank 0 prints one JSON object in place of
// everything; type report in report.go specifies its fields.
//
// # Exit status
//
//	0      all is well; stderr may have warnings
//	1      the job did not start, ranks cannot talk, or the environment
//	       announces more ranks than came; stderr says what to do
//	2      wrong options
//	128+n  signal n ended it (SIGINT, SIGTERM)
//
// When the job does not start, nothing is on stdout, also with --json.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/dlp-mpi/dlp-go/internal/clidoc"
)

// Exit statuses.
const (
	statusError  = 1
	statusUsage  = 2
	statusSignal = 128 // plus the signal's number
)

func main() {
	if clidoc.Describe(newApp(), os.Args, os.Stdout) {
		return
	}
	ctx, stop := untilSignal(context.Background())
	err := newApp().RunContext(ctx, os.Args)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "dlp-hello:", err)
		os.Exit(statusOf(err))
	}
}

func newApp() *cli.App {
	return &cli.App{
		Name:      "dlp-hello",
		Usage:     "show how a job was started and whether its ranks can talk",
		UsageText: "LAUNCHER [its options] dlp-hello [--ordered | --json]",
		Version:   bootstrap.Version(),
		Description: "Start it with the launcher and the options of the program that is to run.\n" +
			"AME_VERBOSE=1 prints the bootstrap methods also when the job does not start.\n" +
			"The exit status is 1 if the job did not start, ranks cannot talk, or fewer came than announced.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "ordered", Usage: "let rank 0 print the greetings of all ranks, in the order of ranks"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object, from rank 0"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return &usageError{fmt.Errorf("unexpected argument %q", c.Args().First())}
			}
			o := output{ordered: c.Bool("ordered"), json: c.Bool("json"), to: c.App.Writer}
			if err := hello(c.Context, o); err != nil {
				return interrupted(c.Context, err)
			}
			return nil
		},
		HideHelpCommand: true,
		ErrWriter:       io.Discard, // main prints errors
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    func(_ *cli.Context, err error, _ bool) error { return &usageError{err} },
	}
}

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() + "; see dlp-hello --help" }
func (e *usageError) Unwrap() error { return e.err }

// signalError is why the context of a program that got a signal has ended.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string { return "got a signal: " + e.signal.String() }

// untilSignal returns a context that the first SIGINT or SIGTERM cancels, so
// that a rank leaves nothing of its start behind. The second one kills.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(&signalError{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
		signal.Stop(signals)
	}
}

// interrupted adds the signal to an error, if it was one that ended ctx.
func interrupted(ctx context.Context, err error) error {
	var s *signalError
	if cause := context.Cause(ctx); errors.As(cause, &s) && !errors.As(err, &s) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

func statusOf(err error) int {
	var usage *usageError
	var s *signalError
	switch {
	case errors.As(err, &usage):
		return statusUsage
	case errors.As(err, &s):
		return statusSignal + int(s.signal)
	}
	return statusError
}
