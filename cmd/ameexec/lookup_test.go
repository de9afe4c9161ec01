package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dlp-mpi/dlp-go/test/need"
)

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
	assert.Contains(t, r.stderr, "ameexec: /proc is not mounted here, and the processes of a job are found by it\n")
}

// A disk that is full fails the job.
func TestOutputDirOnASmallDisk(t *testing.T) {
	r := asRoot(t, `mount -t tmpfs -o size=64k none "$1"; exec "$0" ameexec -n 2 --output-dir "$1" sh -c 'head -c 100000 /dev/zero'`)
	assert.Equal(t, 1, r.status)
	assert.Regexp(t, `^ameexec: output: write \S+/rank-[01].out: no space left on device\n`, r.stderr)
}
