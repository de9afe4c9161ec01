package bootstrap

import (
	"fmt"
	"strconv"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// DefaultTimeout is the time that all ranks of a job have to come up.
const DefaultTimeout = 5 * time.Minute

// Timeout returns the time that all ranks have to come up, from AME_TIMEOUT:
// a Go duration (90s, 10m) or plain seconds; DefaultTimeout if it is not set.
func Timeout(env Env) (time.Duration, error) {
	text, ok := environ.Lookup(env, "AME_TIMEOUT")
	if !ok {
		return DefaultTimeout, nil
	}
	timeout, err := time.ParseDuration(text)
	if err != nil {
		timeout, err = time.ParseDuration(text + "s")
	}
	if err != nil {
		return 0, fmt.Errorf("bootstrap: AME_TIMEOUT=%q is neither a duration such as 90s or 10m nor a number of seconds", text)
	}
	if timeout <= 0 {
		return 0, fmt.Errorf("bootstrap: AME_TIMEOUT=%q must be more than 0", text)
	}
	return timeout, nil
}

// Verbose says whether AME_VERBOSE asks for the Report on stderr of rank 0.
func Verbose(env Env) bool {
	text, ok := environ.Lookup(env, "AME_VERBOSE")
	if !ok {
		return false
	}
	on, err := strconv.ParseBool(text)
	return on || err != nil // AME_VERBOSE=yes wants to see it too
}
