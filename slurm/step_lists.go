package slurm

import (
	"fmt"
	"strconv"
	"strings"
)

// parsePorts reads SLURM_STEP_RESV_PORTS: 20000,20097-20100. Ports keep the
// order of the text.
func parsePorts(text string) ([]int, error) {
	var ports []int
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.ParseUint(from, 10, 16)
		last := first
		if isRange && err == nil {
			last, err = strconv.ParseUint(to, 10, 16)
		}
		if err != nil || first == 0 || last < first {
			return nil, fmt.Errorf("%q is no port or range of ports", part)
		}
		if len(ports)+int(last-first) >= 1<<16 {
			return nil, fmt.Errorf("more than %d ports", 1<<16)
		}
		for port := first; port <= last; port++ {
			ports = append(ports, int(port))
		}
	}
	return ports, nil
}

// parseTasksPerNode reads SLURM_STEP_TASKS_PER_NODE: 2,1(x2) is 2, 1, 1.
func parseTasksPerNode(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var tasks []int
	for part := range strings.SplitSeq(text, ",") {
		count, repeat, repeated := strings.Cut(part, "(x")
		n, err := strconv.ParseUint(count, 10, 31)
		times := uint64(1)
		if repeated && err == nil {
			number, closed := strings.CutSuffix(repeat, ")")
			if times, err = strconv.ParseUint(number, 10, 31); !closed {
				err = strconv.ErrSyntax
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%q is not n or n(xk)", part)
		}
		if uint64(len(tasks))+times > maxHosts {
			return nil, fmt.Errorf("more than %d nodes", maxHosts)
		}
		for range times {
			tasks = append(tasks, int(n))
		}
	}
	return tasks, nil
}

// parseTaskIDs reads SLURM_GTIDS, the ranks of the tasks of this node: 0,1,4.
func parseTaskIDs(text string, size int) (map[int]bool, error) {
	if text == "" {
		return nil, errUnset
	}
	tasks := make(map[int]bool)
	for part := range strings.SplitSeq(text, ",") {
		id, err := strconv.ParseUint(part, 10, 31)
		if err != nil || int(id) >= size || tasks[int(id)] {
			return nil, fmt.Errorf("%q is not a task of %d", part, size)
		}
		tasks[int(id)] = true
	}
	return tasks, nil
}
