package deadline

import (
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// watch looks at the tests again and again.
//
// A timer does that and not a goroutine that stands: tests may want to see that
// no goroutine is left.
type watch struct {
	limit time.Duration // what a test may take

	// The processes that an overdue test has started are asked for their
	// stacks, and have as long as grace to end. Usually the test ends with
	// them, and reports what they wrote.
	grace time.Duration

	interval time.Duration // between looks; the world stops for each
	out      io.Writer

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
	clock   clock
	overdue bool      // a test is, or was
	end     time.Time // of the process; zero while no test is overdue
}

func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = clock{last: time.Now(), most: 2 * w.interval, share: shareOfLoad, until: extensions.of}
	w.timer = time.AfterFunc(w.interval, w.look)
}

// stop returns whether a test was overdue.
func (w *watch) stop() (overdue bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
	return w.overdue
}

// look reports tests that are overdue. When one does not end in spite of that,
// it ends the process.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	dump := stacks()
	late := w.clock.look(parse(dump), w.limit, time.Now())
	switch {
	case len(late) == 0:
		w.end = time.Time{}
	case w.end.IsZero():
		w.overdue, w.end = true, time.Now().Add(w.grace)
		for _, test := range late {
			fmt.Fprintf(w.out, "\ndeadline: %s has run for %v and may take %v (deadline.Extend gives it more)\n",
				test.name, w.clock.spent[test.id].Round(time.Second), w.limit)
		}
		fmt.Fprintf(w.out, "deadline: the stacks of all goroutines:\n\n%s\n", dump)
		signalDescendants(syscall.SIGQUIT) // a program in Go prints its stacks and ends
	case time.Now().After(w.end):
		fmt.Fprintf(w.out, "\ndeadline: %s does not end\n", late[0].name)
		signalDescendants(syscall.SIGKILL)
		os.Exit(2)
	}
	w.timer.Reset(w.interval)
}
