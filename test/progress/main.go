// Progress runs go test and shows where it is.
//
//	go run ./test/progress [-name NAME] [-each] [-report FILE] -- [flags of go test] packages
//
// A line says which package has ended, how, and how many are left; with -each
// also which test. Where nothing ends for a while, a line says what runs. The
// output of what failed follows it. The end is a list of what was skipped and
// why, and a line of counts.
//
// A test that has failed is then run alone, three times. One that passes is
// unsteady, and the run does not fail because of it, see secondChance. All that
// has failed, once or again, is shown with its output once more behind
// everything else, or written to the file of -report. The last line has the names.
//
// The exit status is that of go test; 0 if no more than unsteady tests have
// failed.
//
// A test that knows how many subtests it will run can say so by a line of its
// own, "plan: 24 more", and -each then says how many are left.
package main

import (
	"bytes"
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
	file := flag.String("report", "", "write to this file what has failed, instead of showing it once more")
	flag.Parse()
	packages, err := withTests(flag.Args())
	if err != nil {
		fail(err)
	}
	// go test gets the same signal and ends; what it says then is of interest.
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	s := newShow(os.Stdout, *name, *each, packages)
	status, err := runTwice(s, *quiet, goTest(flag.Args()), func(f *failure) *exec.Cmd { return goTest(alone(flag.Args(), f)) })
	if err != nil {
		fail(err)
	}
	if err := write(s, *file); err != nil {
		fail(err)
	}
	os.Exit(status)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "progress:", err)
	os.Exit(1)
}

func goTest(args []string) *exec.Cmd {
	return exec.Command("go", append([]string{"test", "-json"}, args...)...)
}

// write reports what has failed, to a file if one is named.
func write(s *show, file string) error {
	if file == "" {
		s.report(s.out)
		return nil
	}
	var b bytes.Buffer
	s.report(&b)
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// withTests returns how many of the packages that are among the arguments of
// go test have tests.
func withTests(args []string) (int, error) {
	list := []string{"list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}"}
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, "-tags="); ok {
			list = append(list, "-tags", value)
		}
		if isPackage(arg) {
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

// isPackage says whether an argument of go test names packages.
func isPackage(arg string) bool { return strings.HasPrefix(arg, ".") }
