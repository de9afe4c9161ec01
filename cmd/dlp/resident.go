package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/run"
)

// resident is a process that stays and gets one item after the other: a line of
// stdin for each, which it answers by a line of stdout. One goroutine has it.
type resident struct {
	in     *os.File
	out    *os.File
	lines  *bufio.Reader // of out
	cancel context.CancelFunc
	ended  chan *run.Result
}

// startResident starts the process of a slot; what it writes to stderr goes to
// the file.
func startResident(runner *run.Runner, spec run.Spec, stderr *os.File) (*resident, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		in.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &resident{in: in, out: out, lines: bufio.NewReaderSize(out, 16<<10), cancel: cancel, ended: make(chan *run.Result, 1)}
	spec.Input, spec.Files = theirIn, [2]*os.File{theirOut, stderr}
	started := make(chan struct{})
	spec.Started = sync.OnceFunc(func() { theirIn.Close(); theirOut.Close(); close(started) })
	go func() {
		result := runner.Run(ctx, spec)
		spec.Started() // if it did not
		result.Close()
		r.ended <- result
	}()
	<-started
	return r, nil
}

// maxAnswer is how long an answer may be, in bytes.
const maxAnswer = 16 << 20

var (
	errAnswersTwice = errors.New("the worker has answered more than once")
	errLongAnswer   = fmt.Errorf("the worker's answer is longer than %d MiB", maxAnswer>>20)
)

// ask sends lines and returns as many answers, without their ends. After an
// error the process is of no use any more.
func (r *resident) ask(ctx context.Context, lines []string, timeout time.Duration) ([]string, error) {
	if r.lines.Buffered() > 0 {
		return nil, errAnswersTwice
	}
	if timeout > 0 {
		deadline := time.Now().Add(timeout)
		r.in.SetWriteDeadline(deadline)
		r.out.SetReadDeadline(deadline)
	}
	defer context.AfterFunc(ctx, func() {
		r.in.SetWriteDeadline(time.Unix(1, 0))
		r.out.SetReadDeadline(time.Unix(1, 0))
	})()
	written := make(chan error, 1)
	question := strings.Join(lines, "\n") + "\n"
	write := func() { _, err := io.WriteString(r.in, question); written <- err }
	if len(question) > safeWrite {
		go write() // who answers a part may wait until that is read
	} else {
		write()
	}
	answers := make([]string, 0, len(lines))
	for range lines {
		answer, err := r.line()
		if err != nil {
			r.in.SetWriteDeadline(time.Unix(1, 0))
			<-written
			return nil, err
		}
		answers = append(answers, answer)
	}
	if err := <-written; err != nil {
		return nil, err
	}
	if r.lines.Buffered() > 0 {
		return nil, errAnswersTwice
	}
	return answers, nil
}

// safeWrite is how much an empty pipe takes at once, in bytes (pipe(7), PIPE_BUF).
const safeWrite = 4096

// line reads one answer.
func (r *resident) line() (string, error) {
	var answer []byte
	for {
		part, err := r.lines.ReadSlice('\n')
		answer = append(answer, part...)
		switch {
		case err == nil:
			return string(answer[:len(answer)-1]), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		case len(answer) > maxAnswer:
			return "", errLongAnswer
		}
	}
}

// residentPatience is how long a worker may take to end when there are no more
// items, until it is asked to.
const residentPatience = 5 * time.Second

// end ends the process: by the end of its stdin, or at once.
func (r *resident) end(atOnce bool) *run.Result {
	r.in.Close()
	if atOnce {
		r.cancel()
	}
	timer := time.AfterFunc(residentPatience, r.cancel)
	defer timer.Stop()
	go io.Copy(io.Discard, r.out) // it may have more to say
	result := <-r.ended
	r.out.Close()
	r.cancel()
	return result
}
