package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// show is what is known of a run of go test, and prints it.
type show struct {
	out            io.Writer
	name           string
	each           bool
	packages, done int // packages with tests, and those that have ended

	planned               int // tests that were announced
	passed, failed, skips int
	parents               map[string]bool     // tests that have subtests
	began                 map[string]event    // of what runs
	said                  map[string][]string // by test that runs
	built                 map[string][]string // by import path: what its compiler says
	reasons               map[string]int      // why tests were skipped, and how many
	failures              []*failure          // in order of their ends
}

func newShow(out io.Writer, name string, each bool, packages int) *show {
	return &show{
		out: out, name: name, each: each, packages: packages,
		parents: make(map[string]bool), began: make(map[string]event),
		said: make(map[string][]string), built: make(map[string][]string), reasons: make(map[string]int),
	}
}

// module is left out where packages are named.
const module = "github.com/dlp-mpi/dlp-go"

// key names a test or, without one, its package. Where there is one package
// only, its tests need no more than their names.
func (s *show) key(e event) string {
	if s.packages == 1 && e.Test != "" {
		return e.Test
	}
	_, folder, _ := strings.Cut(e.Package, module)
	folder = cmp.Or(strings.TrimPrefix(folder, "/"), ".")
	return strings.TrimSpace(folder + " " + e.Test)
}

// event takes in what go test says, and returns whether a line was printed.
func (s *show) event(e event) (printed bool) {
	switch e.Action {
	case "start", "run":
		s.began[s.key(e)] = e
		parent := e
		for i, c := range e.Test { // names may have slashes of their own
			if c == '/' {
				parent.Test = e.Test[:i]
				s.parents[s.key(parent)] = true
			}
		}
	case "output", "build-output":
		return s.output(e)
	case "pass", "fail", "skip":
		return s.ended(e)
	}
	return false
}

// output keeps what a test says until it is known how it ends. What no test
// says is printed, for a compiler or the machinery of a test is speaking; but
// not the words of package testing itself.
func (s *show) output(e event) (printed bool) {
	if n, ok := strings.CutPrefix(e.Output, "plan: "); ok {
		more, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(n), " more"))
		s.planned += more
		return false
	}
	if e.Package == "" || e.Action == "build-output" {
		s.built[e.ImportPath] = append(s.built[e.ImportPath], e.Output)
		fmt.Fprint(s.out, e.Output)
		return true
	}
	for _, dull := range []string{"=== ", "PASS", "ok  \t", "-test.shuffle", "--- SKIP", "--- PASS"} {
		if strings.HasPrefix(strings.TrimLeft(e.Output, " "), dull) {
			return false
		}
	}
	s.said[s.key(e)] = append(s.said[s.key(e)], e.Output)
	return false
}

func (s *show) ended(e event) (printed bool) {
	key := s.key(e)
	said := s.said[key]
	delete(s.said, key)
	delete(s.began, key)
	took := fmt.Sprintf("%.1f s", e.Elapsed)
	switch {
	case e.Test == "" && e.Action == "skip": // a package without tests
		return false
	case e.Test == "":
		s.done++
		s.line("%2d of %d packages: %-4s %s, %s", s.done, s.packages, word(e.Action), key, took)
		if e.Action == "fail" {
			s.print(said)
			s.cut(e)
			s.fault(e, took, said)
		}
		return true
	}
	leaf := !s.parents[key]
	if leaf {
		s.count(e.Action, said)
	}
	if e.Action == "fail" && (leaf || len(said) > 1 || !s.hasFailure(e)) { // one line only names it
		s.note(e, took, said)
		s.line("FAIL %s, %s", key, took)
		s.print(said)
		return true
	}
	if s.each && leaf {
		s.line("%s: %-4s %s, %s", s.position(), word(e.Action), key, took)
		s.print(said)
		return true
	}
	return false
}

// count adds a test to the counts.
func (s *show) count(action string, said []string) {
	switch action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
	case "skip":
		s.skips++
		why := strings.TrimSpace(strings.Join(said, ""))
		if _, text, ok := strings.Cut(why, ".go:"); ok { // file.go:12: why
			_, why, _ = strings.Cut(text, ": ")
		}
		s.reasons[why]++
	}
}

// position says which test this is, of how many if that is known.
func (s *show) position() string {
	n := s.passed + s.failed + s.skips
	if s.planned == 0 {
		return fmt.Sprintf("%3d tests", n)
	}
	return fmt.Sprintf("%3d of %d tests", n, max(s.planned, n))
}

// running says what runs, the longest first.
func (s *show) running(now time.Time) {
	names := slices.SortedFunc(maps.Keys(s.began), func(a, b string) int { return s.began[a].Time.Compare(s.began[b].Time) })
	var texts []string
	for _, name := range names {
		// A package or a test with subtests runs as long as they do.
		if strings.Contains(name, "Test") && !s.parents[name] {
			texts = append(texts, fmt.Sprintf("%s for %.0f s", name, now.Sub(s.began[name].Time).Seconds()))
		}
	}
	if len(texts) > 4 {
		texts = append(texts[:4], fmt.Sprintf("%d more", len(texts)-4))
	}
	left := fmt.Sprintf("%d of %d packages left", s.packages-s.done, s.packages)
	if len(texts) == 0 {
		s.line("%s; nothing runs yet: go builds", left)
		return
	}
	s.line("%s; running: %s", left, strings.Join(texts, "; "))
}

func (s *show) end() {
	for _, why := range slices.Sorted(maps.Keys(s.reasons)) {
		s.line("skipped %d: %s", s.reasons[why], why)
	}
	s.line("%d passed, %d failed, %d skipped", s.passed, s.failed, s.skips)
}

func (s *show) line(format string, args ...any) {
	fmt.Fprintf(s.out, "%s: %s\n", s.name, fmt.Sprintf(format, args...))
}

func (s *show) print(lines []string) {
	fmt.Fprint(s.out, strings.Join(lines, ""))
}

// word is how go test says it.
func word(action string) string {
	return map[string]string{"pass": "ok", "fail": "FAIL", "skip": "skip"}[action]
}
