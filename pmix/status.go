package pmix

import (
	"errors"
	"fmt"
)

// ErrNotAvailable is wrapped by every reason for which this process must not
// or cannot speak to a PMIx server. Nothing was sent.
var ErrNotAvailable = errors.New("pmix: not available")

// ErrClosed is wrapped by the errors of a client that was finalized or closed.
var ErrClosed = errors.New("connection is closed")

// Status is a PMIx status code (pmix_common.h). As an error it is a code that
// the server answered with; errors.Is compares it.
type Status int32

// Codes that servers were seen to answer with, and their relatives.
const (
	StatusError          Status = -1
	StatusInvalidCred    Status = -12
	StatusTimeout        Status = -24
	StatusUnreachable    Status = -25
	StatusBadParam       Status = -27
	StatusNoMemory       Status = -32
	StatusInvalidArg     Status = -33
	StatusNotFound       Status = -46
	StatusNotSupported   Status = -47
	StatusReadPastEnd    Status = -50
	StatusPartialSuccess Status = -52
	StatusLostConnection Status = -61
)

// statusTexts holds PMIx's name of a code and what it means to this client.
var statusTexts = map[Status][2]string{
	StatusError:          {"PMIX_ERROR", ""},
	StatusInvalidCred:    {"PMIX_ERR_INVALID_CRED", "the server does not accept our credential"},
	StatusTimeout:        {"PMIX_ERR_TIMEOUT", "the server has waited in vain"},
	StatusUnreachable:    {"PMIX_ERR_UNREACH", ""},
	StatusBadParam:       {"PMIX_ERR_BAD_PARAM", ""},
	StatusNoMemory:       {"PMIX_ERR_NOMEM", ""},
	StatusInvalidArg:     {"PMIX_ERR_INVALID_ARG", "ranks disagree about the operation"},
	StatusNotFound:       {"PMIX_ERR_NOT_FOUND", "the server does not know it"},
	StatusNotSupported:   {"PMIX_ERR_NOT_SUPPORTED", ""},
	StatusReadPastEnd:    {"PMIX_ERR_UNPACK_READ_PAST_END_OF_BUFFER", "request not understood, or a rank of this node is gone"},
	StatusPartialSuccess: {"PMIX_ERR_PARTIAL_SUCCESS", "a rank of this node is gone; its own output says why"},
	StatusLostConnection: {"PMIX_ERR_LOST_CONNECTION", "a rank of this node is gone; its own output says why"},
}

// Error names the code as PMIx does, with its number and its meaning.
func (s Status) Error() string {
	texts, known := statusTexts[s]
	if !known {
		texts[0] = "PMIx status"
	}
	if texts[1] == "" {
		return fmt.Sprintf("%s (%d)", texts[0], int32(s))
	}
	return fmt.Sprintf("%s (%d): %s", texts[0], int32(s), texts[1])
}

// orNil is the status as an error.
func (s Status) orNil() error {
	if s == 0 {
		return nil
	}
	return s
}

// Error is what went wrong in one operation of a client.
type Error struct {
	Op   string // "connect", "put", "commit", "fence", "get", "finalize", "abort"
	Rank int    // who reports
	Host string // where
	Err  error
}

func (e *Error) Error() string {
	return fmt.Sprintf("pmix: %s: rank %d on %s: %v", e.Op, e.Rank, e.Host, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
