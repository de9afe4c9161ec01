package main

import (
	"bufio"
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// memory tells whether the kernel has killed for want of memory since a
// process began to watch. It reads a counter of this process's control group,
// which counts its descendants', that is the ranks', too.
type memory struct {
	file   string // "": none can be read
	before uint64
}

// watchMemory begins to watch.
func watchMemory() memory { return watchMemoryBelow("/") }

// watchMemoryBelow does so with the file systems of root.
func watchMemoryBelow(root string) memory {
	groups, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return memory{}
	}
	for _, file := range memoryFiles(string(groups)) {
		file = path.Join(root, file)
		if before, ok := oomKills(file); ok {
			return memory{file, before}
		}
	}
	return memory{}
}

// verdict is what to add to the end of a process that was killed by a signal
// which nobody here has sent.
func (m memory) verdict() string {
	if now, ok := oomKills(m.file); ok && now > m.before {
		return ", out of memory"
	}
	return ""
}

// memoryFiles are where the counter may be: cgroups(7) says how the lines of
// /proc/self/cgroup look. In a container the group's own path may not be seen;
// then it is mounted as the root.
func memoryFiles(groups string) []string {
	var files []string
	for line := range strings.Lines(groups) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		mount, name := "sys/fs/cgroup", "memory.events"
		if fields[0] != "0" {
			if fields[1] != "memory" {
				continue
			}
			mount, name = "sys/fs/cgroup/memory", "memory.oom_control"
		}
		files = append(files, path.Join(mount, fields[2], name), path.Join(mount, name))
	}
	return files
}

// oomKills reads the field oom_kill.
func oomKills(file string) (kills uint64, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "oom_kill "); found {
			kills, err := strconv.ParseUint(value, 10, 64)
			return kills, err == nil
		}
	}
	return 0, false
}
