// Package cgroup finds the control groups that a process is in, cgroups(7), of
// either version. Where there are none (other systems than Linux too), nothing
// is found.
package cgroup

import (
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Group is a control group as a directory.
type Group struct {
	Dir     string
	Unified bool // of version 2
}

// Own returns the group of this process that has a controller, and the
// groups around it, from the inside out; the file systems are those of root.
// In a container the path of its own group may not be seen: then the group is
// mounted where the outermost one is otherwise. See cgroups(7).
func Own(root, controller string) (groups []Group) {
	text, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		mount := path.Join(root, "sys/fs/cgroup")
		unified := fields[0] == "0"
		if !unified {
			if !slices.Contains(strings.Split(fields[1], ","), controller) {
				continue
			}
			mount = path.Join(mount, controller)
		}
		for name := path.Join("/", fields[2]); ; name = path.Dir(name) {
			groups = append(groups, Group{path.Join(mount, name), unified})
			if name == "/" {
				break
			}
		}
	}
	return groups
}

// CPUQuota returns how many processors' time this process and those that it
// starts may use, if there is a limit. The file systems are those of root.
func CPUQuota(root string) (quota float64, limited bool) {
	quota = math.Inf(1)
	for _, g := range Own(root, "cpu") {
		var fields []string
		if g.Unified {
			fields = strings.Fields(Read(g.Dir, "cpu.max"))
		} else {
			fields = []string{Read(g.Dir, "cpu.cfs_quota_us"), Read(g.Dir, "cpu.cfs_period_us")}
		}
		if len(fields) != 2 {
			continue
		}
		time, err1 := strconv.ParseFloat(fields[0], 64) // "max" and -1 are no limit
		period, err2 := strconv.ParseFloat(fields[1], 64)
		if err1 == nil && err2 == nil && time > 0 && period > 0 {
			quota = min(quota, time/period)
		}
	}
	return quota, !math.IsInf(quota, 1)
}

// Read returns the content of a small file, "" if it cannot be read.
func Read(dir, name string) string {
	text, err := os.ReadFile(path.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
