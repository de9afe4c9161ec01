package bootstrap

import (
	"fmt"
	"strconv"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// DefaultTimeout is the time that all ranks of a job have to come up.
const DefaultTimeout = 5 * time.Minute

// DefaultHeartbeat is how long a rank may show no sign of life.
const DefaultHeartbeat = 10 * time.Second

// minHeartbeat is the shortest time in which ranks that live can be told from
// others: a loaded node keeps a process waiting for tens of milliseconds.
const minHeartbeat = 200 * time.Millisecond

// Timeout returns the time that all ranks have to come up, from AME_TIMEOUT:
// a Go duration (90s, 10m) or plain seconds; DefaultTimeout if it is not set.
func Timeout(env Env) (time.Duration, error) {
	return duration(env, "AME_TIMEOUT", DefaultTimeout, func(d time.Duration) string {
		if d <= 0 {
			return "must be more than 0"
		}
		return ""
	})
}

// Heartbeat returns how long a rank may show no sign of life before it counts as
// lost, from AME_HEARTBEAT: a Go duration or plain seconds; 0: for ever.
// DefaultHeartbeat if it is not set.
func Heartbeat(env Env) (time.Duration, error) {
	return duration(env, "AME_HEARTBEAT", DefaultHeartbeat, func(d time.Duration) string {
		if d < 0 || d > 0 && d < minHeartbeat {
			return fmt.Sprintf("must be at least %v, or 0 for no heartbeats", minHeartbeat)
		}
		return ""
	})
}

// Memory says whether ranks of one node may share memory: unless AME_MEMORY=0.
func Memory(env Env) (bool, error) { return onOff(env, "AME_MEMORY", true) }

// TLS says whether ranks encrypt what they send each other: with AME_TLS=1.
func TLS(env Env) (bool, error) { return onOff(env, "AME_TLS", false) }

// onOff returns what a variable says, unset if there is none.
func onOff(env Env, name string, unset bool) (bool, error) {
	text, ok := environ.Lookup(env, name)
	if !ok {
		return unset, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("bootstrap: %s=%q is neither 0 nor 1", name, text)
	}
	return on, nil
}

// duration returns the one that a variable gives, unset if there is none. wrong
// says what is wrong with it, if anything is.
func duration(env Env, name string, unset time.Duration, wrong func(time.Duration) string) (time.Duration, error) {
	text, ok := environ.Lookup(env, name)
	if !ok {
		return unset, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = time.ParseDuration(text + "s")
	}
	if err != nil {
		return 0, fmt.Errorf("bootstrap: %s=%q is neither a duration such as 90s or 10m nor a number of seconds", name, text)
	}
	if what := wrong(d); what != "" {
		return 0, fmt.Errorf("bootstrap: %s=%q %s", name, text, what)
	}
	return d, nil
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
