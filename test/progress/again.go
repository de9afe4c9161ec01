package main

import (
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// times is how often a test that has failed must pass when it is run alone.
const times = 3

// runTwice runs go test, and then each test alone that gets a second chance. It
// returns the exit status of the whole.
func runTwice(s *show, quiet time.Duration, all *exec.Cmd, alone func(*failure) *exec.Cmd) (status int, err error) {
	status, err = run(s, quiet, all)
	if err != nil {
		return 0, err
	}
	tests := s.secondChance()
	if status == 0 || len(tests) == 0 {
		return status, nil
	}
	steady := 0
	for _, f := range tests {
		s.line("again, alone, %d times: %s", times, f.name)
		again := newShow(s.out, s.name+" again", false, 1)
		outcome, err := run(again, quiet, alone(f))
		if err != nil {
			return 0, err
		}
		f.again = again.failures
		f.unsteady = outcome == 0 && again.passed >= times
		if !f.unsteady {
			steady++
		}
	}
	if steady == 0 {
		return 0, nil
	}
	return status, nil
}

// alone returns the arguments of go test that run a test alone, from those of the
// whole run.
func alone(args []string, f *failure) []string {
	var names []string
	for name := range strings.SplitSeq(f.test, "/") {
		names = append(names, "^"+regexp.QuoteMeta(name)+"$")
	}
	only := []string{fmt.Sprintf("-count=%d", times), "-failfast", "-run=" + strings.Join(names, "/"), f.pkg}
	var all []string
	for _, arg := range args {
		if !isPackage(arg) {
			all = append(all, arg)
			continue
		}
		all = append(all, only...) // behind the flags, of which the last ones count
		only = nil
	}
	return all
}

// report shows what has failed, and its output once more. The last line has the
// names.
func (s *show) report(out io.Writer) {
	to := &show{out: out, name: s.name}
	var failed, unsteady []string
	for _, f := range s.failures {
		if f.unsteady {
			unsteady = append(unsteady, f.name)
			to.line("UNSTEADY %s, %s: has failed, and then passed %d times", f.name, f.took, times)
		} else {
			if !f.inner {
				failed = append(failed, f.name)
			}
			to.line("FAILED %s, %s", f.name, f.took)
		}
		to.print(f.said)
		for _, again := range f.again {
			to.line("FAILED again %s, %s", again.name, again.took)
			to.print(again.said)
		}
	}
	if len(failed) > 0 {
		to.line("FAILED: %s", strings.Join(failed, ", "))
	}
	if len(unsteady) > 0 {
		to.line("UNSTEADY, to be mended: %s", strings.Join(unsteady, ", "))
	}
}
