package slurm

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Lookup looks up an environment variable, as os.LookupEnv does.
type Lookup = func(name string) (value string, ok bool)

// ErrNoStep is wrapped by the reason why a process is not a task of a step.
var ErrNoStep = errors.New("not a task of a Slurm step")

// EnvError is a variable of a step whose value cannot be understood.
type EnvError struct {
	Name, Value string
	Err         error
}

func (e *EnvError) Error() string {
	if errors.Is(e.Err, errUnset) {
		return fmt.Sprintf("slurm: %s is not set", e.Name)
	}
	const shown = 80
	value := e.Value
	if len(value) > shown {
		value = value[:shown] + "..."
	}
	return fmt.Sprintf("slurm: %s=%q: %s", e.Name, value, strings.TrimPrefix(e.Err.Error(), "slurm: "))
}

func (e *EnvError) Unwrap() error { return e.Err }

// Step ids from here on are no steps of tasks: the batch script, the
// interactive step and others (slurm.h, SLURM_MAX_NORMAL_STEP_ID).
const maxStepID = 0xfffffff0

// Two of them, as Slurm up to 25.11 and from 26.05 on prints them.
var (
	batchStepIDs       = []string{"4294967291", "-5"}
	interactiveStepIDs = []string{"4294967290", "-6"}
)

// get returns the value of the first variable that is set. Slurm prints (null)
// for a string that it does not have, and scripts "unset" by assigning nothing.
func get(env Lookup, names ...string) string {
	for _, name := range names {
		if value, ok := env(name); ok && value != "" && value != "(null)" {
			return value
		}
	}
	return ""
}

// unsigned reads a decimal number up to limit. The name is the one that was
// looked at, for messages.
func unsigned(env Lookup, limit uint64, names ...string) (n uint64, err error) {
	for _, name := range names {
		value := get(env, name)
		if value == "" {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 64)
		switch {
		case err != nil:
			return 0, &EnvError{name, value, errors.New("not an unsigned number")}
		case n > limit:
			return 0, &EnvError{name, value, fmt.Errorf("larger than %d", limit)}
		}
		return n, nil
	}
	return 0, &EnvError{Name: names[0], Err: errUnset}
}

var errUnset = errors.New("not set")

// unsignedOr is unsigned for a variable that only informs: def where it is
// missing or unreadable.
func unsignedOr(def int, env Lookup, limit uint64, names ...string) int {
	n, err := unsigned(env, limit, names...)
	if err != nil {
		return def
	}
	return int(n)
}
