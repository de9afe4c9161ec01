package dlp

import (
	"errors"
	"fmt"
	"slices"
)

// failedTasks are the futures of tasks that have failed, among them all that nobody
// has asked.
type failedTasks struct {
	futures []settler
	look    int // at how many those that were asked are taken out
}

// keptFailed is how many are kept before that.
const keptFailed = 64

func (t *failedTasks) add(f settler) {
	if t.futures = append(t.futures, f); len(t.futures) < max(t.look, keptFailed) {
		return
	}
	t.futures = slices.DeleteFunc(t.futures, func(f settler) bool { return f.unasked() == nil })
	t.look = 2 * len(t.futures)
}

// maxUnasked bounds how many errors are reported in full.
const maxUnasked = 20

// unasked joins the errors that nobody has asked for. It is nil if there are none.
func (t *failedTasks) unasked() error {
	var errs []error
	more := 0
	for _, f := range t.futures {
		err := f.unasked()
		switch {
		case err == nil:
		case len(errs) == maxUnasked:
			more++
		default:
			errs = append(errs, err)
		}
	}
	if more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("tasks have failed whose results nobody has asked for: %w", errors.Join(errs...))
}
