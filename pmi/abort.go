package pmi

import (
	"fmt"
	"strings"
)

// abort ends the job as a rank asks for. It takes the lowest byte of the code,
// as exit and hydra do; 0 stays 0, but no other code becomes 0.
func (e *engine) abort(rank int, m message, line string) step {
	code, err := m.number("exitcode")
	status := code & 0xff
	if err != nil || (code != 0 && status == 0) {
		status = 1
	}
	reason := fmt.Errorf("aborted the job with exit code %d", status)
	if text := abortText(line); text != "" {
		reason = fmt.Errorf("%w: %.200q", reason, text)
	}
	return step{close: true, fail: &JobError{Rank: rank, Aborted: true, Status: status, Err: reason}}
}

// abortText returns what the client says of an abort. MPICH 4.2 sends text with
// blanks in it, which nothing else in the protocol has: it runs to the end of
// the line, or to the exit code where that comes last.
func abortText(line string) string {
	for _, key := range []string{"error_msg", "message", "msg"} {
		if _, text, ok := strings.Cut(line, " "+key+"="); ok {
			text, _, _ = strings.Cut(text, " exitcode=")
			return strings.TrimSpace(text)
		}
	}
	return ""
}
