// Progress runs go test and shows where it is.
//
//	go run ./test/progress [-name NAME] [-each] -- [flags and packages of go test]
//
// A line says which package has ended, how, and how many are left; with -each
// also which test. Where nothing ends for a while, a line says what runs. The
// output of what failed follows it. The end is a list of what was skipped and
// why, and a line of counts. The exit status is that of go test.
//
// A test that knows how many subtests it will run can say so by a line of its
// own, "plan: 24 more", and -each then says how many are left.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	name := flag.String("name", "test", "begins each line")
	each := flag.Bool("each", false, "show tests, too")
	quiet := flag.Duration("quiet", 15*time.Second, "after this time without news, say what runs")
	flag.Parse()
	packages, err := withTests(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "progress:", err)
		os.Exit(1)
	}
	// go test gets the same signal and ends; what it says then is of interest.
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	s := newShow(os.Stdout, *name, *each, packages)
	status, err := run(s, *quiet, exec.Command("go", append([]string{"test", "-json"}, flag.Args()...)...))
	if err != nil {
		fmt.Fprintln(os.Stderr, "progress:", err)
		os.Exit(1)
	}
	os.Exit(status)
}

// withTests returns how many of the packages that are among the arguments of
// go test have tests.
func withTests(args []string) (int, error) {
	list := []string{"list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}"}
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, "-tags="); ok {
			list = append(list, "-tags", value)
		}
		if strings.HasPrefix(arg, ".") {
			list = append(list, arg)
		}
	}
	cmd := exec.Command("go", list...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("go list: %w", err)
	}
	return len(strings.Fields(string(out))), nil
}

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
