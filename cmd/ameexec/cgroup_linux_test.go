package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/cpus"
	"github.com/dlp-mpi/dlp-go/test/need"
)

// files are those of a root directory, by name.
type files map[string]string

func (f files) make(t *testing.T) (root string) {
	root = t.TempDir()
	for name, text := range f {
		name = filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o777))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
	}
	return root
}

func TestShareOfQuota(t *testing.T) {
	t.Setenv("GOMAXPROCS", "") // restored at the end
	os.Unsetenv("GOMAXPROCS")
	root := files{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}.make(t)
	assert.Equal(t, []string{"GOMAXPROCS=2"}, shareOfQuota(root, 1))
	assert.Equal(t, []string{"GOMAXPROCS=2"}, shareOfQuota(root, 8))
	assert.Nil(t, shareOfQuota(files{}.make(t), 1))
	assert.Equal(t, 3, cpus.AtLeast(minShare, 2.1))
	t.Setenv("GOMAXPROCS", "7")
	assert.Nil(t, shareOfQuota(root, 1), "the user has chosen")
}

// inGroup returns the start of a command that runs in a new control group of a
// controller, with a limit in one of its files; names and limits are those of
// cgroup 1 and cgroup 2.
func inGroup(t *testing.T, controller string, v1, v2 [2]string) []string {
	os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+"+controller), 0) // of cgroup 2; if it is not allowed, or done, what follows shows
	for _, try := range []struct {
		mount string
		limit [2]string
	}{{"/sys/fs/cgroup/" + controller, v1}, {"/sys/fs/cgroup", v2}} {
		group := filepath.Join(try.mount, "ameexec-test-"+strconv.Itoa(os.Getpid()))
		if os.Mkdir(group, 0o777) != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(group) })
		if f, err := os.OpenFile(filepath.Join(group, try.limit[0]), os.O_WRONLY, 0); err == nil {
			defer f.Close()
			_, err = f.WriteString(try.limit[1])
			require.NoError(t, err)
			return []string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(group, "cgroup.procs")}
		}
	}
	need.Unable(t, "no control group with a limit can be made here")
	return nil
}

// inGroupRun runs ameexec as inGroup says.
func inGroupRun(t *testing.T, group []string, args ...string) result {
	args = append(append(group, os.Args[0], "ameexec"), args...)
	cmd := exec.CommandContext(patient(t), args[0], args[1:]...)
	cmd.Env = testEnviron()
	return finishRun(t, cmd)
}

// Without -n there are as many ranks as a quota has processors.
func TestDefaultRanksHeedTheQuota(t *testing.T) {
	if runtime.NumCPU() < 2 {
		need.Unable(t, "this machine has one processor, so a quota changes nothing")
	}
	group := inGroup(t, "cpu", [2]string{"cpu.cfs_quota_us", "100000"}, [2]string{"cpu.max", "100000 100000"})
	r := inGroupRun(t, group, "sh", "-c", "echo $AME_SIZE $GOMAXPROCS")
	assert.Equal(t, result{0, "1 2\n", ""}, r)
}
