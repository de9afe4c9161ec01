// Package environ reads what a process was told: environment variables, in
// the way that all of this module reads them, and the name of its node.
package environ

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// Env looks up an environment variable, as os.LookupEnv does. Tests pass a map.
type Env = func(name string) (value string, ok bool)

// Lookup is env without surrounding blanks. A variable set to nothing counts
// as not set, because compose files and batch scripts clear variables so.
func Lookup(env Env, name string) (string, bool) {
	value, _ := env(name)
	value = strings.TrimSpace(value)
	return value, value != ""
}

// Value is the variable's value, "" if it is not set.
func Value(env Env, name string) string {
	text, _ := Lookup(env, name)
	return text
}

// Nonempty is env with the eyes of Lookup, for packages that call it as it is.
func Nonempty(env Env) Env {
	return func(name string) (string, bool) { return Lookup(env, name) }
}

// FirstSet returns the first of the variables that is set.
func FirstSet(env Env, names ...string) (name string, ok bool) {
	for _, name := range names {
		if _, ok := Lookup(env, name); ok {
			return name, true
		}
	}
	return "", false
}

// AnySet says whether at least one of the variables is set.
func AnySet(env Env, names ...string) bool {
	_, ok := FirstSet(env, names...)
	return ok
}

// IsOn says whether a variable is a yes.
func IsOn(env Env, name string) bool {
	switch strings.ToLower(Value(env, name)) {
	case "1", "true", "yes", "on":
		return true
	}
	return false
}

// Int reads a whole number from least to most.
func Int(env Env, name string, least, most int) (int, error) {
	text, ok := Lookup(env, name)
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

// RankAndSize reads the two variables that place a process in its job.
func RankAndSize(env Env, rankName, sizeName string) (rank, size int, err error) {
	if size, err = Int(env, sizeName, 1, math.MaxInt32); err != nil {
		return 0, 0, err
	}
	if rank, err = Int(env, rankName, 0, math.MaxInt32); err != nil {
		return 0, 0, err
	}
	if rank >= size {
		return 0, 0, fmt.Errorf("%s=%d must be less than %s=%d", rankName, rank, sizeName, size)
	}
	return rank, size, nil
}

// Hostname is the name of this node, for people; "localhost" if it has none.
func Hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}
