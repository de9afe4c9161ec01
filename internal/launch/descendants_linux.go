package launch

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Descendants lists the living descendants of this process, parents first,
// but for those of the children in spare.
func Descendants(spare map[int]bool) []int { return Below(os.Getpid(), spare) }

// Below is Descendants of another process.
func Below(pid int, spare map[int]bool) []int {
	children := make(map[int][]int)
	dead := make(map[int]bool)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "stat"))
		if err != nil {
			continue // it has just ended
		}
		state, parent, ok := parseStat(stat)
		if ok {
			children[parent] = append(children[parent], pid)
			dead[pid] = state == 'Z' || state == 'X'
		}
	}
	var found []int
	queue := []int{pid}
	for len(queue) > 0 {
		parent := queue[0]
		queue = queue[1:]
		for _, pid := range children[parent] {
			if spare[pid] {
				continue
			}
			if !dead[pid] {
				found = append(found, pid)
			}
			queue = append(queue, pid)
		}
	}
	return found
}

// parseStat reads state and parent from /proc/pid/stat, proc_pid_stat(5). The
// name in parentheses may itself have blanks and parentheses.
func parseStat(stat []byte) (state byte, parent int, ok bool) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, 0, false
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 2 || len(fields[0]) != 1 {
		return 0, 0, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	return fields[0][0], parent, err == nil
}

// Sweep kills all descendants but those of the children in spare, and returns
// how many there were. Those that they start meanwhile need another sweep.
// The process groups are for systems that cannot list descendants.
func Sweep(_ []int, spare map[int]bool) int {
	found := Descendants(spare)
	for _, pid := range found {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	return len(found)
}
