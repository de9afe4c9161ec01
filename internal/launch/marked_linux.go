package launch

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// killMarked kills the processes whose environment has the mark, wherever they
// are, and returns how many there were. One that has cleared its environment is
// not found, nor is another user's.
func killMarked(mark string) int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	killed := 0
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err == nil && hasMark(environ, mark) && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

// hasMark looks for the mark in an environment, proc_pid_environ(5).
func hasMark(environ []byte, mark string) bool {
	for pair := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := bytes.CutPrefix(pair, []byte(MarkVariable+"=")); ok {
			return slices.Contains(strings.Fields(string(value)), mark)
		}
	}
	return false
}
