package ame

import (
	"runtime"
	"slices"
	"strings"
)

// freedom is what a process can do while calls of it wait for other ranks.
type freedom uint8

const (
	stuck  freedom = 0 // nothing: whatever else it runs waits for these calls
	unsure freedom = 1 // something may wake it otherwise, such as a timer
	free   freedom = 2 // it computes, sleeps, or waits for input
)

// maxStacks bounds, in bytes, how much of the stacks of a process is looked at.
const maxStacks = 8 << 20

// freedomHere looks at the goroutines of this process. It stops them for as long
// as that takes, so it is for calls that have waited for long.
func freedomHere() freedom {
	b := make([]byte, 64<<10)
	for {
		n := runtime.Stack(b, true)
		if n < len(b) {
			return freedomOf(string(b[:n]))
		}
		if len(b) >= maxStacks {
			return free // too many to say
		}
		b = make([]byte, 4*len(b))
	}
}

// freedomOf reads what runtime.Stack says of all goroutines, first of the one
// that has called it.
func freedomOf(stacks string) freedom {
	most := stuck
	for i, g := range strings.Split(strings.TrimSpace(stacks), "\n\n") {
		if i > 0 {
			most = max(most, freedomOfOne(g))
		}
	}
	return most
}

// freedomOfOne is that of one goroutine. One that runs no function of the user's
// is of a package that serves others; one in a call of this package is what others
// may wake.
func freedomOfOne(stack string) freedom {
	head, body, _ := strings.Cut(stack, "\n")
	_, state, _ := strings.Cut(head, "[")
	state, _, _ = strings.Cut(state, "]")
	state, _, _ = strings.Cut(state, ",")
	lines := strings.Split(body, "\n")
	users, inCall, inTest := false, false, false
	for i := 0; i+1 < len(lines); i += 2 {
		function, file := lines[i], lines[i+1]
		inCall = inCall || strings.Contains(function, "/ame.(*Comm).await(")
		inTest = inTest || strings.HasPrefix(function, "testing.(*T).Run(")
		users = users || !strings.HasPrefix(function, "created by ") && isUsers(function, file)
	}
	state = strings.TrimSuffix(state, " (durable)")
	switch {
	case inCall && state != "select", state == "running":
		return free // it has been woken, and may not have got to run yet
	case inCall, !users, inTest && state == "chan receive": // the test waits for a part of it
		return stuck
	}
	switch state {
	case "sync.WaitGroup.Wait", "semacquire", "sync.Mutex.Lock", "sync.RWMutex.Lock", "sync.RWMutex.RLock", "sync.Cond.Wait",
		"chan receive (nil chan)", "chan send (nil chan)", "select (no cases)":
		return stuck
	case "chan receive", "chan send", "select":
		return unsure
	}
	return free
}

// isUsers says whether two lines of a stack are of a function that is neither of
// the standard library nor of this module's packages.
func isUsers(function, file string) bool {
	file, _, _ = strings.Cut(strings.TrimSpace(file), " ")
	if i := strings.LastIndex(file, ":"); i > 0 && strings.HasSuffix(file[:i], "_test.go") {
		return true
	}
	if function == "main.main()" && strings.Contains(file, "_testmain.go:") {
		return false // waits for the tests
	}
	first, _, _ := strings.Cut(function, "/")
	first, _, _ = strings.Cut(first, ".")
	return !strings.HasPrefix(function, module) && !slices.Contains(standard, first)
}

// standard are the first elements of the paths of the standard library's
// packages that may run goroutines.
var standard = []string{
	"bufio", "bytes", "context", "crypto", "database", "encoding", "errors", "fmt", "internal", "io", "iter", "log", "maps",
	"net", "os", "reflect", "runtime", "slices", "sort", "strings", "sync", "syscall", "testing", "text", "time",
}
