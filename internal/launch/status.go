package launch

import "fmt"

// Exit statuses of a command that starts others.
const (
	StatusUsage       = 2   // wrong options
	StatusNotRunnable = 126 // as sh(1)
	StatusNotFound    = 127 // as sh(1)
	StatusSignal      = 128 // plus the signal's number, as sh(1)
)

// StatusError is an error with the exit status that it leads to.
type StatusError struct {
	Status int
	Err    error
}

func (e *StatusError) Error() string { return e.Err.Error() }
func (e *StatusError) Unwrap() error { return e.Err }

// withStatus returns an error that leads to a status.
func withStatus(status int, format string, args ...any) error {
	return &StatusError{status, fmt.Errorf(format, args...)}
}
