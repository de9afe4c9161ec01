package deadline

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// signalDescendants sends a signal to the processes that this one has started,
// to those that they have started, and so on.
func signalDescendants(signal syscall.Signal) {
	for _, pid := range descendants(os.Getpid()) {
		syscall.Kill(pid, signal)
	}
}

// descendants returns the living descendants of a process, parents first.
func descendants(pid int) (found []int) {
	// proc_pid_task_children(5): of each thread, the children that it has started.
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		list, _ := os.ReadFile(file)
		for field := range strings.FieldsSeq(string(list)) {
			if child, err := strconv.Atoi(field); err == nil {
				found = append(found, child)
				found = append(found, descendants(child)...)
			}
		}
	}
	return found
}
