package cpus

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Cores returns the usable cores, each with the numbers of its usable hardware
// threads, in the order of their first thread.
func Cores() ([][]int, error) {
	var usable unix.CPUSet
	if err := unix.SchedGetaffinity(0, &usable); err != nil {
		return nil, fmt.Errorf("usable cores: %w", err)
	}
	var found [][]int
	index := make(map[string]int)
	for cpu, left := 0, usable.Count(); left > 0; cpu++ {
		if !usable.IsSet(cpu) {
			continue
		}
		left--
		core := coreOf(cpu)
		at, known := index[core]
		if !known {
			at = len(found)
			index[core] = at
			found = append(found, nil)
		}
		found[at] = append(found[at], cpu)
	}
	return found, nil
}

// coreOf names the core that a hardware thread belongs to.
func coreOf(cpu int) string {
	siblings, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return fmt.Sprint(cpu) // a container may hide it
	}
	return strings.TrimSpace(string(siblings))
}

// Bind binds this thread, and what it starts from then on, to some processors,
// by their numbers, and returns a function that undoes it. The caller has locked
// its goroutine to the thread.
func Bind(processors []int) (undo func(), err error) {
	var before, now unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, fmt.Errorf("usable cores: %w", err)
	}
	for _, cpu := range processors {
		now.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &now); err != nil {
		return nil, fmt.Errorf("bind to processors %v: %w", processors, err)
	}
	return func() { unix.SchedSetaffinity(0, &before) }, nil
}
