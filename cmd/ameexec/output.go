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
)

// output is where the ranks' stdout and stderr go.
type output struct {
	plan    *plan
	stdout  *merger
	stderr  *merger // the same as stdout if both are one file
	own     *stream // ameexec's own lines, on stderr
	failure chan error
	pumps   sync.WaitGroup
	mu      sync.Mutex
	pipes   []*os.File // read ends
	files   []*os.File // of output-dir
}

func newOutput(p *plan) (*output, error) {
	o := &output{plan: p, failure: make(chan error, 1)}
	fail := func(err error) {
		select {
		case o.failure <- err:
		default:
		}
	}
	o.stdout = newMerger(fail)
	o.stderr = o.stdout
	if !sameFile(os.Stdout, os.Stderr) {
		o.stderr = newMerger(fail)
	}
	o.own = o.stderr.stream(os.Stderr, "")
	if p.OutputDir != "" {
		if err := os.MkdirAll(p.OutputDir, 0o777); err != nil {
			return nil, fmt.Errorf("--output-dir: %w", err)
		}
	}
	return o, nil
}

// say prints a line of ameexec's own.
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

// open returns the file that a rank writes to: with output-dir a file there,
// else a pipe to the merger. Labels in files need a pipe as well.
func (o *output) open(rank int, suffix string, to *merger, out io.Writer) (*os.File, error) {
	size := o.plan.size()
	if o.plan.OutputDir == "" {
		prefix := ""
		if o.plan.Label {
			prefix = label(rank, size)
		}
		return o.pipe(to.stream(out, prefix))
	}
	name := fmt.Sprintf("rank-%0*d.%s", len(fmt.Sprint(size-1)), rank, suffix)
	file, err := os.OpenFile(filepath.Join(o.plan.OutputDir, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o666)
	if err != nil || !o.plan.Label {
		return file, err
	}
	o.files = append(o.files, file)
	return o.pipe(newMerger(to.onError).stream(file, label(rank, size)))
}

// pipe returns the write end of a pipe whose read end feeds s until no process
// has the write end any more.
func (o *output) pipe(s *stream) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	// Programs expect to wait for the reader, not EAGAIN.
	if err := syscall.SetNonblock(int(write.Fd()), false); err != nil {
		read.Close()
		write.Close()
		return nil, err
	}
	o.mu.Lock()
	o.pipes = append(o.pipes, read)
	o.mu.Unlock()
	o.pumps.Go(func() {
		pump(s, read)
		s.Close()
		read.Close()
	})
	return write, nil
}

const pumpBuffer = 16 << 10

// pump copies until the end of file or the deadline of from; what the pipe
// still holds then is copied too.
func pump(to io.Writer, from *os.File) {
	buffer := make([]byte, pumpBuffer)
	for {
		n, err := from.Read(buffer)
		to.Write(buffer[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return
		}
	}
	raw, err := from.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		for {
			n, err := syscall.Read(int(fd), buffer)
			if n <= 0 || err != nil {
				return
			}
			to.Write(buffer[:n])
		}
	})
}

// finish writes what is left when all ranks have ended. A process that got
// away with a pipe of a rank keeps it waiting no longer than linger; a reader
// of ours who takes his time does, but for patience (0: for ever).
func (o *output) finish(linger, patience time.Duration) {
	done := make(chan struct{})
	go func() {
		o.pumps.Wait()
		close(done)
	}()
	o.mu.Lock()
	for _, pipe := range o.pipes {
		pipe.SetReadDeadline(time.Now().Add(linger))
	}
	o.mu.Unlock()
	var timeout <-chan time.Time
	if patience > 0 {
		timeout = time.After(patience)
	}
	select {
	case <-done:
	case <-timeout:
		return
	}
	for _, file := range o.files {
		file.Close()
	}
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
