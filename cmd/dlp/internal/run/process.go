package run

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/cpus"
	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// Run runs a process until its end. When ctx or its time ends it gets a SIGTERM,
// and after the grace what is left of it is killed. What it leaves in its
// process group is killed in any case.
func (r *Runner) Run(ctx context.Context, s Spec) *Result {
	result := &Result{Started: time.Now(), Out: [2]*Output{r.Output(), r.Output()}}
	var streams pipes
	p, err := r.start(s, result, &streams)
	streams.started()
	if err == nil {
		if s.Started != nil {
			s.Started()
		}
		r.await(ctx, s, p, result)
	}
	streams.finish()
	result.Took = time.Since(result.Started)
	var with *launch.StatusError
	switch {
	case errors.As(err, &with):
		result.Status, result.Err = with.Status, err
	case errors.Is(err, errKilled):
		result.Stopped = true
	case err != nil:
		result.Status, result.Err = launch.StatusNotRunnable, err
	}
	return result
}

var errKilled = errors.New("killed before it was started")

// leader is a process that runs, and leads a process group.
type leader struct {
	guard  *launch.Guard
	number int // by which the guard knows it
	pid    int
	grace  time.Duration

	mu       sync.Mutex
	over     bool // it has ended, and its number may become another one's
	timedOut bool
	stopped  bool
	ending   ending
	timer    *time.Timer // of the grace
}

// start starts the process, unless that is not wanted any more.
func (r *Runner) start(s Spec, result *Result, streams *pipes) (*leader, error) {
	path, err := r.path(s.Args[0])
	if err != nil {
		return nil, err
	}
	number := int(r.started.Add(1))
	attributes := &syscall.ProcAttr{Env: append(s.Environ[:len(s.Environ):len(s.Environ)], r.guard.Mark(number)), Sys: attributes(), Files: []uintptr{r.null.Fd(), 0, 0}}
	if s.Input != nil {
		attributes.Files[0] = s.Input.Fd()
	} else if s.Stdin != nil {
		stdin, err := r.input(s.Stdin)
		if err != nil {
			return nil, err
		}
		defer stdin.Close()
		attributes.Files[0] = stdin.Fd()
	}
	for i, file := range s.Files {
		if file == nil {
			if file, err = streams.open(result.writer(i, s.Tap)); err != nil {
				return nil, err
			}
		}
		attributes.Files[i+1] = file.Fd()
	}
	if s.CPUs != nil {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		undo, err := cpus.Bind(s.CPUs)
		if err != nil {
			return nil, err
		}
		defer undo()
	}
	r.mu.Lock()
	killed := r.killed
	r.mu.Unlock()
	if killed {
		return nil, errKilled
	}
	pid, err := launch.Start(path, s.Args, attributes)
	if err != nil {
		return nil, err
	}
	r.guard.Hold(s.Slot, pid)
	result.Pid = pid
	return &leader{guard: r.guard, number: number, pid: pid, grace: s.Grace}, nil
}

// path looks a program up once.
func (r *Runner) path(name string) (string, error) {
	if path, ok := r.paths.Load(name); ok {
		return path.(string), nil
	}
	path, err := launch.FindProgram(name, "", os.Getenv("PATH"))
	if err == nil {
		r.paths.Store(name, path)
	}
	return path, err
}

// input returns a file that reads as data.
func (r *Runner) input(data []byte) (*os.File, error) {
	file, err := launch.Unnamed(r.spool)
	if err != nil {
		return nil, err
	}
	if _, err = file.Write(data); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// writer is where what is read of a stream goes.
func (r *Result) writer(stream int, tap func(int, []byte)) io.Writer {
	if tap == nil {
		return r.Out[stream]
	}
	return tapped{r.Out[stream], func(data []byte) { tap(stream, data) }}
}

type tapped struct {
	out *Output
	tap func([]byte)
}

func (t tapped) Write(data []byte) (int, error) {
	t.tap(data)
	return t.out.Write(data)
}

// await waits for the end of a process, which it may bring about.
func (r *Runner) await(ctx context.Context, s Spec, p *leader, result *Result) {
	r.mu.Lock()
	r.running[p] = true
	if r.killed {
		p.kill(true)
	}
	r.mu.Unlock()
	unhook := context.AfterFunc(ctx, func() { p.end(&p.stopped) })
	if s.Timeout > 0 {
		timer := time.AfterFunc(s.Timeout, func() { p.end(&p.timedOut) })
		defer timer.Stop()
	}
	status := reap(p)
	unhook()
	p.awaitGroup()
	r.guard.Hold(s.Slot, 0)
	r.mu.Lock()
	delete(r.running, p)
	r.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	result.Status, result.TimedOut, result.Stopped = launch.ExitStatus(status), p.timedOut, p.stopped
	if status.Signaled() {
		result.Signal = status.Signal()
	}
}
