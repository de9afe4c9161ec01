package main

import (
	"fmt"
	"os"

	"github.com/dlp-mpi/dlp-go/internal/progress"
)

// display returns the function that shows the progress of loops, nil if that
// is left to the ranks. It never waits.
func (o *output) display() func(progress.State) {
	if !o.bar {
		return nil
	}
	return func(s progress.State) {
		switch {
		case s.Last:
			o.hideBar()
			fmt.Fprintln(o.own, s.Bar())
		case s == progress.State{}:
			o.hideBar()
		default:
			o.stderr.SetBar(s.Bar())
		}
	}
}

// hideBar removes the progress bar from the terminal.
func (o *output) hideBar() { o.stderr.SetBar("") }

// defaultWidth is that of a terminal which does not tell, in columns.
const defaultWidth = 80

// isDumb says whether a terminal of that name may not understand the control
// sequences that keep a line below the output.
func isDumb(name string) bool { return name == "" || name == "dumb" }

// isTerminal says whether file is a terminal. /dev/null is a device too, but
// none that a user types into.
func isTerminal(file *os.File) bool {
	return terminalAttributes(file) == nil
}
