package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// output is where the ranks' stdout and stderr go.
type output struct {
	plan    *plan
	stdout  *launch.Merger
	stderr  *launch.Merger // the same as stdout if both are one file
	own     *launch.Stream // ameexec's own lines, on stderr
	bar     bool           // stderr is a terminal, and has a line for the progress of loops
	failure chan error     // the first write that failed
	pumps   sync.WaitGroup
	pipes   []*os.File // read ends
}

func newOutput(p *plan) (*output, error) {
	o := &output{plan: p, failure: make(chan error, 1)}
	o.stdout = launch.NewMerger(o.fail)
	o.stderr = o.stdout
	if !sameFile(os.Stdout, os.Stderr) {
		o.stderr = launch.NewMerger(o.fail)
	}
	o.own = o.stderr.Notices(os.Stderr)
	if o.bar = launch.IsTerminal(os.Stderr) && !p.Terminal && !launch.IsDumb(os.Getenv("TERM")); o.bar {
		o.stderr.Bar(os.Stderr, launch.TerminalWidth)
	}
	if p.OutputDir != "" {
		if err := os.MkdirAll(p.OutputDir, 0o777); err != nil {
			return nil, fmt.Errorf("--output-dir: %w", err)
		}
	}
	return o, nil
}

// fail takes note of the first write that failed; it is why the rest does.
func (o *output) fail(err error) {
	select {
	case o.failure <- err:
	default:
	}
}

// say prints a line of ameexec's own. It never waits.
func (o *output) say(format string, args ...any) {
	fmt.Fprintf(o.own, "ameexec: "+format+"\n", args...)
}

// rank returns the files that are stdout and stderr of a rank. The caller
// closes those that closeAfter says when the rank has started.
func (o *output) rank(rank int) (stdout, stderr *os.File, closeAfter bool, err error) {
	if o.plan.direct(rank) {
		return os.Stdout, os.Stderr, false, nil
	}
	if stdout, err = o.open(rank, "out", o.stdout, os.Stdout); err != nil {
		return nil, nil, false, err
	}
	if stderr, err = o.open(rank, "err", o.stderr, os.Stderr); err != nil {
		stdout.Close()
		return nil, nil, false, err
	}
	return stdout, stderr, true, nil
}

// open returns a pipe to where a rank's output goes: to a merger, or with
// output-dir to a file there. A rank does not get that file itself, for few
// programs look whether their last words fit on the disk.
func (o *output) open(rank int, suffix string, to *launch.Merger, out io.Writer) (*os.File, error) {
	size := o.plan.size()
	label := ""
	if o.plan.Label {
		label = launch.Label(rank, size)
	}
	if o.plan.OutputDir == "" {
		s := to.Stream(out, label)
		return o.pipe(s, s)
	}
	name := fmt.Sprintf("rank-%0*d.%s", len(fmt.Sprint(size-1)), rank, suffix)
	file, err := os.OpenFile(filepath.Join(o.plan.OutputDir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	if label == "" {
		w := &fileWriter{file: file, fail: o.fail}
		return o.pipe(w, w)
	}
	m := launch.NewMerger(o.fail)
	s := m.Stream(file, label)
	return o.pipe(s, closers{s.Close, func() error { m.Wait(); return nil }, file.Close})
}

// pipe returns the write end of a pipe whose read end feeds to, until no
// process has the write end any more.
func (o *output) pipe(to io.Writer, end io.Closer) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		end.Close()
		return nil, err
	}
	// Programs expect to wait for the reader, not EAGAIN.
	if err := syscall.SetNonblock(int(write.Fd()), false); err != nil {
		read.Close()
		write.Close()
		end.Close()
		return nil, err
	}
	o.pipes = append(o.pipes, read)
	o.pumps.Go(func() {
		launch.Pump(to, read)
		end.Close() // its error is known to output
		read.Close()
	})
	return write, nil
}

// finish returns a channel that is closed when all that the ranks have written
// is with its reader. A process that got away with a pipe of a rank is waited
// for no longer than linger.
func (o *output) finish(linger time.Duration) <-chan struct{} {
	for _, pipe := range o.pipes {
		pipe.SetReadDeadline(time.Now().Add(linger))
	}
	return o.when(o.pumps.Wait)
}

// flush ends ameexec's own lines and returns a channel that is closed when
// they are with their reader.
func (o *output) flush() <-chan struct{} {
	return o.when(func() { o.own.Close() })
}

// when returns a channel that is closed when wait has returned and all that is
// ready has been written.
func (o *output) when(wait func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		wait()
		o.stdout.Wait()
		o.stderr.Wait()
		close(done)
	}()
	return done
}

// sameFile says whether two files are one, so that lines could mix in it.
func sameFile(a, b *os.File) bool {
	infoA, errA := a.Stat()
	infoB, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// brokenPipe says whether a destination failed because its reader went away,
// which is no fault: ameexec ... | head -1.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
