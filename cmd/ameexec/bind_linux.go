package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// cores returns the usable cores, each with its usable hardware threads, in
// the order of their first thread.
func cores() ([]unix.CPUSet, error) {
	var usable unix.CPUSet
	if err := unix.SchedGetaffinity(0, &usable); err != nil {
		return nil, fmt.Errorf("--bind-to core: usable cores: %w", err)
	}
	var found []unix.CPUSet
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
			found = append(found, unix.CPUSet{})
		}
		found[at].Set(cpu)
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

// binder returns a function that binds this thread, and what it starts from
// then on, to the core for a rank, the number of cores, and a function that
// undoes the binding.
func binder() (bind func(rank int) error, count int, undo func(), err error) {
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, 0, nil, fmt.Errorf("--bind-to core: %w", err)
	}
	found, err := cores()
	if err != nil {
		return nil, 0, nil, err
	}
	bind = func(rank int) error {
		if err := unix.SchedSetaffinity(0, &found[rank%len(found)]); err != nil {
			return fmt.Errorf("--bind-to core: rank %d: %w", rank, err)
		}
		return nil
	}
	return bind, len(found), func() { unix.SchedSetaffinity(0, &before) }, nil
}
