package loop

import (
	"errors"
	"fmt"
)

// maxFailures bounds how many errors one loop reports in full. The others
// are counted: thousands of items may fail for the same reason.
const maxFailures = 20

// failures are the reasons why a loop has failed, in the order in which they
// came.
type failures struct {
	errs   []error
	more   int
	closed bool
	stack  bool // one of them has a stack of a panic
}

// keepStack says whether the stack of another panic is worth keeping: only the
// first one is, since others mostly look the same.
func (f *failures) keepStack() bool {
	first := !f.stack
	f.stack = true
	return first
}

func (f *failures) add(err error) {
	switch {
	case f.closed:
	case len(f.errs) < maxFailures:
		f.errs = append(f.errs, err)
	default:
		f.more++
	}
}

// close ignores all that fails from now on.
func (f *failures) close() { f.closed = true }

func (f *failures) any() bool { return len(f.errs) > 0 }

// err joins the reasons. It is nil if there are none.
func (f *failures) err() error {
	if f.more == 0 {
		return errors.Join(f.errs...)
	}
	return errors.Join(append(f.errs[:maxFailures:maxFailures], fmt.Errorf("and %d more errors", f.more))...)
}
