package launch

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// marked calls found for the processes whose environment has the mark, wherever
// they are, as soon as that is seen: numbers of processes are used again. One
// that has cleared its environment is not found, nor is another user's.
func marked(mark string, found func(pid int)) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err == nil && hasMark(environ, mark) {
			found(pid)
		}
	}
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
