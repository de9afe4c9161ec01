package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

func TestFindProgramHints(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("plain", nil, 0o644))
	require.NoError(t, os.WriteFile("ready", nil, 0o755))
	for name, want := range map[string]string{
		"ready":  "ready: not found in PATH; for the file in this directory write ./ready",
		"plain":  "plain: not found in PATH; ./plain in this directory: not executable; chmod +x makes it so",
		"absent": "absent: not found in PATH",
		"":       "the name of the program is empty",
	} {
		_, err := findProgram(name, "", "/bin")
		assert.EqualError(t, err, want)
	}
}

// asRoot runs a shell script in a mount namespace of its own.
func asRoot(t *testing.T, script string) result {
	unshare := need.Program(t, "unshare")
	if os.Getuid() != 0 {
		need.Unable(t, "only root may mount")
	}
	cmd := exec.CommandContext(patient(t), unshare, "-m", "sh", "-ec", script, os.Args[0], t.TempDir())
	cmd.Env = testEnviron()
	return finishRun(t, cmd)
}

func TestNoexecFileSystemIsNamed(t *testing.T) {
	r := asRoot(t, `mount -t tmpfs -o noexec none "$1" && mkdir "$1/bin" && cp /bin/true "$1/bin" && exec "$0" ameexec -n 2 "$1/bin/true"`)
	assert.Equal(t, 126, r.status)
	assert.Regexp(t, `^ameexec: \S+/bin/true: the file system at `+filepath.Clean(os.TempDir())+`/\S+ is mounted noexec: copy the program to another one\n$`, r.stderr)
	assert.NotContains(t, r.stderr, "/bin is mounted")
}

func TestWithoutProc(t *testing.T) {
	r := asRoot(t, `umount -l /proc; exec "$0" ameexec -n 2 true`)
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.stderr, "ameexec: /proc is not mounted here, and ameexec finds the processes of a job by it\n")
}

// A disk that is full fails the job.
func TestOutputDirOnASmallDisk(t *testing.T) {
	r := asRoot(t, `mount -t tmpfs -o size=64k none "$1"; exec "$0" ameexec -n 2 --output-dir "$1" sh -c 'head -c 100000 /dev/zero'`)
	assert.Equal(t, 1, r.status)
	assert.Regexp(t, `^ameexec: output: write \S+/rank-[01].out: no space left on device\n`, r.stderr)
}
