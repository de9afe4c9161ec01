package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"time"
)

// run runs go test and shows what it says. It returns the exit status.
func run(s *show, quiet time.Duration, cmd *exec.Cmd) (status int, err error) {
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	events := make(chan event)
	go func() {
		defer close(events)
		for lines := bufio.NewReader(stdout); ; {
			line, err := lines.ReadBytes('\n')
			if len(line) > 0 {
				events <- parse(line)
			}
			if err != nil {
				return
			}
		}
	}()
	timer := time.NewTimer(quiet)
	for open := true; open; {
		select {
		case e, ok := <-events:
			if open = ok; ok && s.event(e) {
				timer.Reset(quiet)
			}
		case <-timer.C:
			s.running(time.Now())
			timer.Reset(quiet)
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	s.end()
	return cmd.ProcessState.ExitCode(), nil
}

// event is a line of go test -json, see go doc test2json.
type event struct {
	Time    time.Time
	Action  string
	Package string
	Test    string
	Elapsed float64 // seconds
	Output  string

	ImportPath  string // of what is built, in "build-output"
	FailedBuild string // which import path it was, in "fail" of a package
}

// parse reads a line. What is no event, such as the words of a compiler, is
// output of no package.
func parse(line []byte) event {
	var e event
	if json.Unmarshal(line, &e) != nil {
		return event{Action: "output", Output: string(line)}
	}
	return e
}
