package dlp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// stopGrace is how long a program may take, after it was asked to stop, until
// its ctx ends. Slurm kills 30 s after it has asked (slurm.conf(5), KillWait).
const stopGrace = 20 * time.Second

// statusSignal is added to the number of a signal that has ended a program,
// as shells do.
const statusSignal = 128

// Main is a whole program: Init, body, Close, the message and the exit status.
// A program calls it last in its main function. It returns if all went well on
// this rank; else it exits with the status of the error: 75 if that is ErrStopped,
// what its method ExitCode() int says, 128 and the number of the signal that
// ended ctx, or 1.
//
// An error of body is told to the others as by Abort, so that their calls fail,
// too. It is printed on stderr, with its rank and node, and once per job: what
// reaches all ranks, such as the loss of one or the error of an item, is
// printed by rank 0 alone.
//
// SIGTERM, SIGINT and SIGUSR1 ask the job to stop, until Main returns. The
// first one that any rank gets closes Stopping on all ranks. ctx ends at the
// second one that this process itself gets, or 20 s after the first (StopGrace
// sets another time). During Init the first one ends it. A signal that is ignored
// when the program starts, as by nohup, stays so.
func Main(body func(ctx context.Context, world *Comm) error, opts ...Option) {
	signals := catchSignals()
	p := mainRank{name: filepath.Base(os.Args[0]), stderr: os.Stderr, signals: signals, grace: newOptions(opts).grace, exit: os.Exit}
	status := p.run(func(ctx context.Context) (*Comm, error) { return Init(ctx, opts...) }, body)
	signal.Stop(signals)
	if status != 0 {
		os.Exit(status)
	}
}

// mainRank is one rank of a program that is run by Main.
type mainRank struct {
	name    string
	stderr  io.Writer
	signals <-chan os.Signal
	grace   time.Duration
	exit    func(status int)
}

// run returns the exit status.
func (p *mainRank) run(start func(context.Context) (*Comm, error), body func(context.Context, *Comm) error) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	wish := newStopWish()
	defer p.obey(wish, cancel)()

	starting, started := context.WithCancelCause(ctx)
	unhook := wish.afterFirst(started)
	world, err := start(starting)
	unhook()
	started(nil)
	if err != nil {
		err = causeOf(starting, err)
		fmt.Fprintf(p.stderr, "%s: %v\n", p.name, err)
		return statusOf(err)
	}
	world.stop = wish
	side, err := newSideband(ctx, world)
	if err == nil {
		err = p.call(ctx, world, body)
		side.end()
	}
	if err != nil {
		err = causeOf(ctx, err)
		p.tell(world, side, err)
	} else if world.IsRoot() {
		p.tellUnsaid(world, side)
	}
	if left := world.Close(); left != nil {
		p.print(world, left)
		err = cmp.Or(err, left)
	}
	if err != nil {
		return statusOf(err)
	}
	return 0
}

// goexitWait is how long a program may take to end by a panic.
const goexitWait = 5 * time.Second

// call runs body. When it panics, the others get to know, and the runtime ends
// the program with the stack. After runtime.Goexit it would not, so this does.
func (p *mainRank) call(ctx context.Context, world *Comm, body func(context.Context, *Comm) error) error {
	returned := false
	defer func() {
		if !returned {
			time.AfterFunc(goexitWait, func() {
				fmt.Fprintf(p.stderr, "%s: rank %d on %s: the body of Main has ended by runtime.Goexit\n", p.name, world.Rank(), world.host(world.Rank()))
				p.exit(1)
			})
			world.Abort(unreturned("left the program"))
		}
	}()
	err := body(ctx, world)
	returned = true
	return err
}

// tell prints the error that this rank ends with, if that is not another
// rank's to do, and lets the others know of one that is this rank's own.
func (p *mainRank) tell(world *Comm, side *sideband, err error) {
	own := isOwn(world, err)
	switch {
	case own:
		p.print(world, err)
		world.Abort(err)
	case speaksFor(world, err):
		p.print(world, err)
	case side != nil && !world.IsRoot():
		// If rank 0 cannot be told, it has the same trouble and says so.
		_ = side.comm.Send(context.Background(), 0, tagEnded, ame.Payload{Body: []byte(oneLine(err))})
	}
}

// tellUnsaid prints, on a rank 0 that is content, the error that another rank
// has ended with and left to rank 0: an error that both had, and that rank 0's
// body has taken for none.
func (p *mainRank) tellUnsaid(world *Comm, side *sideband) {
	if world.Size() == 1 {
		return
	}
	if m, ok, err := side.comm.TryRecv(ame.AnySource, tagEnded); ok && err == nil {
		p.print(world, world.fromRank(m.Source, errors.New(printable.Text(string(m.Body)))))
	}
}

func (p *mainRank) print(world *Comm, err error) {
	if world.Size() == 1 {
		fmt.Fprintf(p.stderr, "%s: %v\n", p.name, err)
		return
	}
	fmt.Fprintf(p.stderr, "%s: rank %d on %s: %v\n", p.name, world.Rank(), world.info.Host, err)
}

// isOwn says whether only this rank knows of err.
func isOwn(world *Comm, err error) bool {
	own := true
	walk(err, func(err error) bool {
		switch e := err.(type) {
		case *remoteError, mismatch, *StopError:
			own = false
		case *ame.Error:
			own = own && !errors.Is(e, ErrLost) && !errors.Is(e, ErrMismatch) && (e.Peer == world.Rank() || !errors.Is(e, ErrAborted))
		}
		return own
	})
	return own && !errors.Is(err, ErrStopped) // which all ranks get
}

// speaksFor says whether this rank prints an error that others have as well:
// rank 0 does, or rank 1 if it is rank 0 that is lost. The cause of an Abort
// is printed by the rank that has called it.
func speaksFor(world *Comm, err error) bool {
	if errors.Is(err, ErrAborted) {
		return false
	}
	if e := (*ame.Error)(nil); errors.As(err, &e) && e.Peer == 0 && errors.Is(err, ErrLost) {
		return world.Rank() == 1
	}
	return world.IsRoot()
}

// causeOf adds to an error why ctx has ended, if that was by a signal.
func causeOf(ctx context.Context, err error) error {
	var stop *StopError
	if cause := context.Cause(ctx); errors.As(cause, &stop) && !errors.As(err, new(*StopError)) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

func statusOf(err error) int {
	if errors.Is(err, ErrStopped) {
		return statusStopped
	}
	var code interface{ ExitCode() int }
	if errors.As(err, &code) && code.ExitCode() != 0 {
		return code.ExitCode()
	}
	return 1
}
