package cgroup

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

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

func TestQuota(t *testing.T) {
	for name, test := range map[string]struct {
		files files
		quota float64 // 0: none
	}{
		"no control groups":  {files{}, 0},
		"cgroup 2":           {files{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "250000 100000\n"}, 2.5},
		"around it":          {files{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, 0.5},
		"no limit":           {files{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, 0},
		"a container":        {files{"proc/self/cgroup": "0::/../../x\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1},
		"cgroup 1":           {files{"proc/self/cgroup": "3:cpu,cpuacct:/a\n0::/\n", "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "150000\n", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n"}, 1.5},
		"cgroup 1, no limit": {files{"proc/self/cgroup": "1:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 0},
		"nonsense":           {files{"proc/self/cgroup": "x\n0::/\n", "sys/fs/cgroup/cpu.max": "0 0\n"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			quota, limited := CPUQuota(test.files.make(t))
			assert.Equal(t, test.quota != 0, limited)
			if limited {
				assert.InDelta(t, test.quota, quota, 1e-9)
			}
		})
	}
}
