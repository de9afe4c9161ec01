package deadline

import (
	"bytes"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// test is a goroutine that runs a test.
type test struct {
	id    int
	name  string // of the function that is the test
	waits bool   // for its subtests, or for its turn among parallel tests
}

// waiting are the functions of package testing in which a test stands when
// others work and not the test: t.Run, t.Parallel, the end of a test that has
// parallel subtests, and the outside of a bubble of testing/synctest.
var waiting = []string{
	"testing.(*T).Run",
	"testing.(*T).Parallel",
	"testing.(*testState).waitParallel",
	"testing.tRunner.func1",
	"internal/synctest.Run",
}

// parse finds the tests among the stacks of all goroutines, as runtime.Stack
// writes them.
func parse(dump []byte) []test {
	var tests []test
	for block := range strings.SplitSeq(string(dump), "\n\n") {
		lines := strings.Split(block, "\n")
		var t test
		if n, _ := fmt.Sscanf(lines[0], "goroutine %d ", &t.id); n != 1 {
			continue
		}
		frames := functions(lines[1:])
		base := slices.Index(frames, "testing.tRunner")
		if base < 0 {
			continue
		}
		t.name = testName(frames[:base])
		t.waits = slices.Contains(waiting, frames[0])
		tests = append(tests, t)
	}
	return tests
}

// testName returns the outermost function that is not one of package testing:
// the test, or what it has left to t.Cleanup.
func testName(frames []string) string {
	for _, name := range slices.Backward(frames) {
		if !strings.HasPrefix(name, "testing.") {
			return name
		}
	}
	return "a test"
}

// functions returns the names of the functions of a stack, the innermost
// first. Between them are the lines that name files.
func functions(lines []string) []string {
	var names []string
	for _, line := range lines {
		if strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "created by ") {
			continue
		}
		// The arguments are behind the last parenthesis: (*T).Run(0x1, ...).
		if at := strings.LastIndexByte(line, '('); at > 0 {
			names = append(names, line[:at])
		}
	}
	return names
}

// stacks returns the stacks of all goroutines.
func stacks() []byte {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			return buf[:n]
		}
		buf = make([]byte, 2*len(buf))
	}
}

// goroutine returns the number of the goroutine that calls it.
func goroutine() (id int) {
	buf := make([]byte, 64)
	fmt.Sscanf(string(bytes.TrimSpace(buf[:runtime.Stack(buf, false)])), "goroutine %d ", &id)
	return id
}

// isBenchmark says whether go test was told to measure.
func isBenchmark() bool {
	bench := flag.Lookup("test.bench")
	if !flag.Parsed() {
		flag.Parse()
	}
	return bench != nil && bench.Value.String() != ""
}
