// Package process reads what the kernel tells about this process and its
// ancestors, from proc(5). Where there is no /proc, or where it hides other
// users' processes (hidepid), or where the parent is outside of this process's
// pid namespace, an error says that it is not to be seen.
package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Info is about one process.
type Info struct {
	PID    int
	Parent int    // 0: none, or one outside of this pid namespace
	Name   string // of the program file, 15 bytes at most
	Start  uint64 // in clock ticks since the node has started
}

// Self is this process.
func Self() (Info, error) { return Read(os.Getpid()) }

// Read looks at a process.
func Read(pid int) (Info, error) {
	if pid < 1 {
		return Info{}, fmt.Errorf("process %d is not to be seen from here", pid)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Info{}, fmt.Errorf("process %d is not to be seen: %w", pid, err)
	}
	info, err := parse(text)
	if err != nil || info.PID != pid {
		return Info{}, fmt.Errorf("process %d: /proc shows something else: %.40q", pid, text)
	}
	return info, nil
}

// parse reads the line of /proc/PID/stat. The name may hold anything, blanks
// and parentheses too, so its end is the last parenthesis.
func parse(text []byte) (Info, error) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return Info{}, strconv.ErrSyntax
	}
	const parent, start = 1, 19 // fields behind the name
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) <= start {
		return Info{}, strconv.ErrSyntax
	}
	pid, err1 := strconv.Atoi(strings.TrimSpace(string(text[:open])))
	ppid, err2 := strconv.Atoi(fields[parent])
	ticks, err3 := strconv.ParseUint(fields[start], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return Info{}, strconv.ErrSyntax
	}
	return Info{PID: pid, Parent: ppid, Name: string(text[open+1 : end]), Start: ticks}, nil
}
