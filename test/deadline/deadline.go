// Package deadline ends tests that hang. It is for tests only.
//
// A package hands its tests to Each, in TestMain:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }
//
// Each test and each subtest then has a minute, or what it asks for with
// Extend. A test that takes longer fails the package, and the stacks of all
// goroutines say where it hangs.
//
// The timeout of go test is no such deadline: it is one for the whole package,
// so it must be long. A call at the start of each test would be one, and would
// be forgotten in the next test that somebody writes. So Each asks the runtime:
// a goroutine that package testing has started for a test is a test, and its
// stack says whether it works or only waits for its subtests, or for its turn
// among parallel tests. Such waits do not count.
package deadline

import (
	"os"
	"sync"
	"testing"
	"time"
)

// Default is what a test may take that has not asked for more, which is far more
// than any test should need. Where more processes want to run than there are
// processors, time passes as much slower, down to a tenth.
const Default = time.Minute

// Tests are the tests of a package: a testing.M, or what wraps one.
type Tests interface{ Run() int }

// Each returns tests that run with deadlines. Their exit status is not 0 if a
// test was overdue, even if it came to an end later. Benchmarks have none: to
// look at them would disturb what they measure.
func Each(tests Tests) Tests {
	return watched{tests, &watch{limit: Default, grace: 10 * time.Second, interval: 2 * time.Second, out: os.Stderr}}
}

// watched are the tests of a package with the watch over them.
type watched struct {
	tests Tests
	watch *watch
}

func (w watched) Run() int {
	if isBenchmark() {
		return w.tests.Run()
	}
	w.watch.start()
	status := w.tests.Run()
	if overdue := w.watch.stop(); overdue && status == 0 {
		status = 1
	}
	return status
}

// Extend gives the test that calls it d more from now on, if it had less. A
// subtest does not inherit that. Only the goroutine of the test itself may call
// it.
func Extend(t testing.TB, d time.Duration) {
	t.Helper()
	extensions.set(goroutine(), time.Now().Add(d))
}

// extended is until when the tests may take that have asked, by goroutine.
type extended struct {
	mu    sync.Mutex
	until map[int]time.Time
}

var extensions = extended{until: make(map[int]time.Time)}

func (e *extended) set(id int, until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if until.After(e.until[id]) {
		e.until[id] = until
	}
}

func (e *extended) of(id int) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.until[id]
}
