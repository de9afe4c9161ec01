package slurm

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrMungeAbsent is wrapped by errors that say that there is no munged to talk
// to on this node: no socket, no permission, or no socket at its path. Only this
// is a reason to use another proof of identity, and only at the start of a job.
var ErrMungeAbsent = errors.New("no munged")

// ErrMungeUnavailable is wrapped by errors that say that munged could not be
// asked: absent, or its socket is there and it does not answer. The latter can be
// transient, or be provoked by any user of the node.
var ErrMungeUnavailable = errors.New("munge unavailable")

// MungeCode is an error number of munged (munge.h, munge_err_t).
type MungeCode uint8

// The codes that a caller may want to tell apart.
const (
	MungeInvalid      MungeCode = 14 // made with another key, or altered
	MungeExpired      MungeCode = 15
	MungeRewound      MungeCode = 16 // made in the future
	MungeReplayed     MungeCode = 17
	MungeUnauthorized MungeCode = 18 // restricted to another user
)

// MungeError is an answer of munged: it was asked, and it refused.
type MungeError struct {
	Code MungeCode
	Text string // munged's own words

	// Age is the time from encoding to decoding by the clocks of the two
	// nodes, TTL the lifetime; for MungeExpired, MungeRewound and MungeReplayed.
	Age, TTL time.Duration
}

func (e *MungeError) Error() string {
	text := fmt.Sprintf("munged refuses: %s (error %d)", printable(e.Text), e.Code)
	switch e.Code {
	case MungeInvalid:
		text += "; the nodes have different munge keys"
	case MungeExpired, MungeRewound:
		text += fmt.Sprintf("; the clocks of the two nodes say that it is %v old, and %v either way is allowed", e.Age, e.TTL)
	case MungeUnauthorized:
		text += "; the processes run as different users"
	}
	return text
}

// printable keeps control characters of a peer's text out of logs.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}

// unavailable is an error that wraps ErrMungeUnavailable, and more.
func unavailable(err error, format string, args ...any) error {
	return &mungeDown{text: fmt.Sprintf(format, args...), err: err}
}

type mungeDown struct {
	text string
	err  error
}

func (e *mungeDown) Error() string {
	if e.err == nil || errors.Is(e.err, ErrMungeAbsent) {
		return "munge unavailable: " + e.text
	}
	return "munge unavailable: " + e.text + ": " + e.err.Error()
}

func (e *mungeDown) Unwrap() []error { return []error{ErrMungeUnavailable, e.err} }
