package main

import (
	"path"
	"strconv"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/cgroup"
)

// memory tells whether the kernel has killed for want of memory since a
// process began to watch. It reads a counter of this process's control group,
// which counts its descendants', that is the ranks', too.
type memory struct {
	file   string // "": none can be read
	before uint64
}

// watchMemory begins to watch, with the file systems of root.
func watchMemory(root string) memory {
	for _, g := range cgroup.Own(root, "memory") {
		file := path.Join(g.Dir, "memory.oom_control")
		if g.Unified {
			file = path.Join(g.Dir, "memory.events")
		}
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

// oomKills reads the field oom_kill.
func oomKills(file string) (kills uint64, ok bool) {
	for line := range strings.SplitSeq(cgroup.Read(path.Split(file)), "\n") {
		if value, found := strings.CutPrefix(line, "oom_kill "); found {
			kills, err := strconv.ParseUint(value, 10, 64)
			return kills, err == nil
		}
	}
	return 0, false
}
