package bootstrap

import (
	"fmt"
	"strings"
)

// State is what Find made of one method.
type State int

const (
	NotAvailable State = iota // its launcher did not start this process, or its environment is broken
	Available                 // it would have worked, but another one was chosen
	Chosen
)

// String returns the word that a Report prints.
func (s State) String() string {
	switch s {
	case Chosen:
		return "chosen"
	case Available:
		return "available"
	default:
		return "not available"
	}
}

// Entry is the verdict on one method.
type Entry struct {
	Method string
	State  State
	Reason string // why the method has this state; never empty
}

// Report says what Find made of every method, in their order.
type Report struct {
	Entries []Entry
}

// String is a heading and one line per method.
func (r *Report) String() string {
	width := 0
	for _, entry := range r.Entries {
		width = max(width, len(entry.Method))
	}
	var b strings.Builder
	b.WriteString("bootstrap methods, in order:\n")
	for _, entry := range r.Entries {
		fmt.Fprintf(&b, "  %-*s  %-13s  %s\n", width, entry.Method, entry.State, entry.Reason)
	}
	return b.String()
}

// reasons lists the methods that are not available, for an error message.
func (r *Report) reasons() string {
	var parts []string
	for _, entry := range r.Entries {
		if entry.State == NotAvailable {
			parts = append(parts, entry.Method+": "+entry.Reason)
		}
	}
	return strings.Join(parts, "; ")
}

// names lists the methods.
func (r *Report) names() []string {
	var names []string
	for _, entry := range r.Entries {
		names = append(names, entry.Method)
	}
	return names
}
