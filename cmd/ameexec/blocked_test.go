package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/alive"
)

// startBlocked starts ameexec with a stdout and stderr that take nothing, as
// those of 2>&1 | less do, and of a terminal after Ctrl-S.
func startBlocked(t *testing.T, cmd *exec.Cmd) (reader *os.File) {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { reader.Close() })
	defer writer.Close()
	fd := int(writer.Fd()) // blocking from here on
	require.NoError(t, syscall.SetNonblock(fd, true))
	for err == nil {
		_, err = syscall.Write(fd, make([]byte, 1))
	}
	require.True(t, errors.Is(err, syscall.EAGAIN), "%v", err)
	require.NoError(t, syscall.SetNonblock(fd, false))
	cmd.Stdout, cmd.Stderr = writer, writer
	require.NoError(t, cmd.Start())
	return reader
}

// Output that nobody reads does not keep a job from ending.
func TestBlockedOutputDoesNotHoldUpTheEnd(t *testing.T) {
	t.Run("timeout", func(t *testing.T) {
		cmd := command(t, with(ranks("flood"), "-n", "2", "--timeout", "0.2", "--debug")...)
		startBlocked(t, cmd)
		cmd.Wait()
		assert.Equal(t, 124, cmd.ProcessState.ExitCode())
	})
	t.Run("a rank fails", func(t *testing.T) {
		job := alive.New(t)
		cmd := command(t, "-n", "2", "--debug", "/bin/sh", "-c", `[ $AME_RANK = 1 ] && read line && exit 3; exec "$@"`, "sh", os.Args[0], "rank", "hold", job.Path, "0")
		cmd.Args = append(cmd.Args[:2:2], append([]string{"--pty", "1"}, cmd.Args[2:]...)...)
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		reader := startBlocked(t, cmd)
		job.Wait(t, 1)
		_, err = io.WriteString(stdin, "\n")
		require.NoError(t, err)
		job.Gone(t)
		_, err = io.Copy(io.Discard, reader)
		require.NoError(t, err)
		cmd.Wait()
		assert.Equal(t, 3, cmd.ProcessState.ExitCode())
	})
	t.Run("SIGTERM", func(t *testing.T) {
		job := alive.New(t)
		cmd := command(t, with(ranks("hold", job.Path, "0"), "-n", "2", "--debug", "--grace", "0.3")...)
		startBlocked(t, cmd)
		job.Wait(t, 2)
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		job.Gone(t)
		cmd.Wait()
		assert.Equal(t, 143, cmd.ProcessState.ExitCode())
	})
}

// A job that has ended well waits for its reader, but not beyond --timeout.
func TestTimeoutHoldsForTheReaderToo(t *testing.T) {
	cmd := command(t, with(ranks("print", "a\n", ""), "-n", "2", "--timeout", "1")...)
	startBlocked(t, cmd)
	cmd.Wait()
	assert.Equal(t, 124, cmd.ProcessState.ExitCode())
}

// A full disk fails the job, also when the program does not look.
func TestOutputDirOnAFullDisk(t *testing.T) {
	for _, option := range []string{"--continue", "--label"} {
		dir := t.TempDir()
		require.NoError(t, os.Symlink("/dev/full", dir+"/rank-1.out"))
		r := run(t, with(ranks("print", "a\n", ""), "-n", "2", option, "--output-dir", dir)...)
		assert.Equal(t, 1, r.status)
		assert.Contains(t, r.stderr, "ameexec: output: write "+dir+"/rank-1.out: no space left on device\n")
	}
}

// So does a stdout that takes nothing.
func TestFullStdout(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	cmd := command(t, with(ranks("print", "a\n", ""), "-n", "2")...)
	cmd.Stdout = full
	require.Error(t, cmd.Run())
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
}
