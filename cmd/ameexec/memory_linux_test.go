package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

func TestMemory(t *testing.T) {
	for name, test := range map[string]struct{ groups, file, format string }{
		"cgroup 2":              {"0::/user.slice/a\n", "sys/fs/cgroup/user.slice/a/memory.events", "low 0\nhigh 1\nmax 3\noom 1\noom_kill %\noom_group_kill 0\n"},
		"in a container":        {"0::/../other\n", "sys/fs/cgroup/memory.events", "oom_kill %\n"},
		"cgroup 1":              {"5:cpu:/\n4:memory:/jobs/a\n0::/\n", "sys/fs/cgroup/memory/jobs/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill %\n"},
		"cgroup 1, a container": {"4:memory:/docker/a\n", "sys/fs/cgroup/memory/memory.oom_control", "oom_kill %\n"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write := func(file, text string) {
				file = filepath.Join(root, file)
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
				require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
			}
			write("proc/self/cgroup", test.groups)
			assert.Empty(t, watchMemoryBelow(root).verdict())
			count := func(n int) {
				write(test.file, string([]byte(replaced(test.format, n))))
			}
			count(7)
			m := watchMemoryBelow(root)
			assert.Empty(t, m.verdict())
			count(8)
			assert.Equal(t, ", out of memory", m.verdict())
		})
	}
}

func replaced(format string, n int) string {
	var out []byte
	for _, b := range []byte(format) {
		if b == '%' {
			out = strconv.AppendInt(out, int64(n), 10)
			continue
		}
		out = append(out, b)
	}
	return string(out)
}

// smallGroup makes a control group with little memory and returns its file
// into which a process writes itself.
func smallGroup(t *testing.T, limit string) (procs string) {
	for mount, file := range map[string]string{"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"} {
		group := filepath.Join(mount, "ameexec-test-"+strconv.Itoa(os.Getpid()))
		if os.Mkdir(group, 0o777) != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(group) })
		if f, err := os.OpenFile(filepath.Join(group, file), os.O_WRONLY, 0); err == nil {
			defer f.Close()
			_, err = f.WriteString(limit)
			require.NoError(t, err)
			return filepath.Join(group, "cgroup.procs")
		}
	}
	need.Unable(t, "no control group with a limit of memory can be made here")
	return ""
}

// The rank that the kernel has killed gives the status, and says why.
func TestOutOfMemory(t *testing.T) {
	procs := smallGroup(t, "100000000")
	cmd := exec.CommandContext(deadline(t), "sh", "-c", `echo $$ >"$0" && exec "$@"`, procs,
		os.Args[0], "ameexec", "-n", "2", "sh", "-c", `[ $AME_RANK = 1 ] && exec "$0" rank swallow 300000000; exec sleep 60`, os.Args[0])
	cmd.Env = testEnviron()
	r := finishRun(t, cmd)
	assert.Equal(t, 137, r.status)
	assert.Regexp(t, `(?m)^ameexec: rank 1 \(pid \d+\) on \S+: killed by signal 9 \(SIGKILL\), out of memory$`, r.stderr)
}
