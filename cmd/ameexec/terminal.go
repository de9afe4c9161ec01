package main

import (
	"fmt"

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
