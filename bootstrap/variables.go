package bootstrap

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// lookup is env without surrounding blanks; a variable set to nothing counts
// as not set, because compose files and batch scripts clear variables so.
func lookup(env Env, name string) (string, bool) {
	value, _ := env(name)
	value = strings.TrimSpace(value)
	return value, value != ""
}

// value is the variable's value, "" if it is not set.
func value(env Env, name string) string {
	text, _ := lookup(env, name)
	return text
}

// anySet says whether at least one of the variables is set.
func anySet(env Env, names ...string) bool {
	for _, name := range names {
		if _, ok := lookup(env, name); ok {
			return true
		}
	}
	return false
}

// isOn says whether a variable is a yes.
func isOn(env Env, name string) bool {
	switch strings.ToLower(value(env, name)) {
	case "1", "true", "yes", "on":
		return true
	}
	return false
}

// intVariable reads a whole number from least to most.
func intVariable(env Env, name string, least, most int) (int, error) {
	text, ok := lookup(env, name)
	if !ok {
		return 0, fmt.Errorf("%s is not set", name)
	}
	value, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s=%q is not a whole number", name, text)
	}
	if value < least || value > most {
		return 0, fmt.Errorf("%s=%d is not in %d..%d", name, value, least, most)
	}
	return value, nil
}

// rankAndSize reads the two variables that place a process in its job.
func rankAndSize(env Env, rankName, sizeName string) (rank, size int, err error) {
	if size, err = intVariable(env, sizeName, 1, math.MaxInt32); err != nil {
		return 0, 0, err
	}
	if rank, err = intVariable(env, rankName, 0, math.MaxInt32); err != nil {
		return 0, 0, err
	}
	if rank >= size {
		return 0, 0, fmt.Errorf("%s=%d must be less than %s=%d", rankName, rank, sizeName, size)
	}
	return rank, size, nil
}

// DefaultTimeout is the time that all ranks of a job have to come up.
const DefaultTimeout = 5 * time.Minute

// Timeout returns the time that all ranks have to come up, from AME_TIMEOUT:
// a Go duration (90s, 10m) or plain seconds; DefaultTimeout if it is not set.
func Timeout(env Env) (time.Duration, error) {
	text, ok := lookup(env, "AME_TIMEOUT")
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
	text, ok := lookup(env, "AME_VERBOSE")
	if !ok {
		return false
	}
	on, err := strconv.ParseBool(text)
	return on || err != nil // AME_VERBOSE=yes wants to see it too
}
