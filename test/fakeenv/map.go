// Package fakeenv is the environment of a process that is not there: tests of
// what reads variables pass its Lookup.
package fakeenv

import (
	"maps"
	"strings"
)

// Map holds variables by name.
type Map map[string]string

// Of reads variables of the form NAME=VALUE.
func Of(pairs ...string) Map {
	m := Map{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		m[name] = value
	}
	return m
}

// Lookup is os.LookupEnv of m.
func (m Map) Lookup(name string) (string, bool) {
	value, ok := m[name]
	return value, ok
}

// With returns a copy with further variables: name, value, name, value.
func (m Map) With(pairs ...string) Map {
	out := Map{}
	maps.Copy(out, m)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// Without returns a copy that lacks a variable.
func (m Map) Without(name string) Map {
	out := m.With()
	delete(out, name)
	return out
}
