package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMemory(t *testing.T) {
	for name, test := range map[string]struct{ groups, file, format string }{
		"cgroup 2":              {"0::/user.slice/a\n", "sys/fs/cgroup/user.slice/a/memory.events", "low 0\nhigh 1\nmax 3\noom 1\noom_kill %\noom_group_kill 0\n"},
		"in a container":        {"0::/../other\n", "sys/fs/cgroup/memory.events", "oom_kill %\n"},
		"cgroup 1":              {"5:cpu:/\n4:memory:/jobs/a\n0::/\n", "sys/fs/cgroup/memory/jobs/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill %\n"},
		"cgroup 1, a container": {"4:memory:/docker/a\n", "sys/fs/cgroup/memory/memory.oom_control", "oom_kill %\n"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, watchMemory(files{"proc/self/cgroup": test.groups}.make(t)).verdict())
			root := files{"proc/self/cgroup": test.groups, test.file: strings.Replace(test.format, "%", "7", 1)}.make(t)
			m := watchMemory(root)
			assert.Empty(t, m.verdict())
			require.NoError(t, os.WriteFile(filepath.Join(root, test.file), []byte(strings.Replace(test.format, "%", "8", 1)), 0o666))
			assert.Equal(t, ", out of memory", m.verdict())
		})
	}
}

// The rank that the kernel has killed gives the status, and says why.
func TestOutOfMemory(t *testing.T) {
	group := inGroup(t, "memory", [2]string{"memory.limit_in_bytes", "100000000"}, [2]string{"memory.max", "100000000"})
	r := inGroupRun(t, group, "-n", "2", "sh", "-c", `[ $AME_RANK = 1 ] && exec "$0" rank swallow 300000000; exec sleep 60`, os.Args[0])
	assert.Equal(t, 137, r.status)
	assert.Regexp(t, `(?m)^ameexec: rank 1 \(pid \d+\) on \S+: killed by signal 9 \(SIGKILL\), out of memory$`, r.stderr)
}
