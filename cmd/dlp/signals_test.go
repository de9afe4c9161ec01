package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// alive watches processes through a FIFO that they hold open.
type alive struct {
	path string
	fifo *os.File
	text *bufio.Scanner
}

func newAlive(t *testing.T) *alive {
	path := filepath.Join(t.TempDir(), "alive")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	return &alive{path: path}
}

// wait returns when so many processes have said hello.
func (a *alive) wait(t *testing.T, count int) {
	var err error
	a.fifo, err = os.Open(a.path)
	require.NoError(t, err)
	t.Cleanup(func() { a.fifo.Close() })
	a.text = bufio.NewScanner(a.fifo)
	for range count {
		require.True(t, a.text.Scan(), "no process is left")
		require.Equal(t, "hello", a.text.Text())
	}
}

// gone returns when no process holds the FIFO any more.
func (a *alive) gone(t *testing.T) {
	for a.text.Scan() {
	}
	require.NoError(t, a.text.Err())
}

// family is the shell script of an item that starts others, in its process
// group and outside of it, and holds the FIFO.
func (a *alive) family(rest string) string {
	return `exec 9>"` + a.path + `"; sh -c 'echo hello >&9; sleep 1000' & setsid sh -c 'echo hello >&9; sleep 1000' & echo hello >&9; ` + rest
}

// started is dlp map whose items say hello.
func started(t *testing.T, a *alive, rest string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := dlpMap(t, append(args, "-j", "2", "sh", "-c", a.family(rest), "sh", "{}", ":::", "1", "2", "3")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	a.wait(t, 6)
	return cmd, &stderr
}

// One signal, and what runs may end by itself; nothing more is started.
func TestSignalDrains(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGINT} {
		dir := t.TempDir()
		cmd := dlpMap(t, "-j", "2", "--range", "1-100000", "sh", "-c", `cd "$0"; : >$1.begun; while ! [ -e end ]; do sleep 0.01; done; echo $1`, dir)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		require.NoError(t, cmd.Start())
		for _, name := range []string{"1.begun", "2.begun"} {
			require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }, patience, tick)
		}
		require.NoError(t, cmd.Process.Signal(s))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "end"), nil, 0o666))
		cmd.Wait()
		if !assert.Equal(t, 75, cmd.ProcessState.ExitCode(), "%v: %s", s, &stderr) {
			continue
		}
		// Some more may have been started before it has heard of the signal.
		lines := strings.Fields(stdout.String())
		begun, err := filepath.Glob(filepath.Join(dir, "*.begun"))
		require.NoError(t, err)
		assert.Len(t, lines, len(begun), "what was started has ended by itself")
		assert.Subset(t, lines, []string{"1", "2"})
		assert.Contains(t, stderr.String(), strconv.Itoa(len(lines))+" done, 0 failed")
		assert.Contains(t, stderr.String(), "stopped before the end")
	}
}

// Items that do not end within the grace are ended, and count as not done.
func TestGrace(t *testing.T) {
	a := newAlive(t)
	cmd, stderr := started(t, a, "sleep 1000", "--grace", "0.1")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
	assert.Equal(t, 75, cmd.ProcessState.ExitCode(), stderr)
	assert.Contains(t, stderr.String(), "no item was done")
	a.gone(t)
}

// The second signal kills, whatever the items make of SIGTERM.
func TestSecondSignalKills(t *testing.T) {
	a := newAlive(t)
	cmd, stderr := started(t, a, "trap '' TERM; while :; do sleep 1; done")
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM)) // a second one of a kind may be one with the first
	cmd.Wait()
	a.gone(t)
	assert.Equal(t, 143, cmd.ProcessState.ExitCode(), stderr)
}

// When dlp is killed, so is all that it has started.
func TestKilled(t *testing.T) {
	a := newAlive(t)
	cmd, _ := started(t, a, "sleep 1000")
	require.NoError(t, cmd.Process.Kill())
	cmd.Wait()
	a.gone(t)
}

// What an item leaves behind ends with dlp.
func TestLeftBehind(t *testing.T) {
	a := newAlive(t)
	cmd := dlpMap(t, "-q", "sh", "-c", `exec 9>"$0"; setsid sh -c 'echo hello >&9; sleep 1000' & sleep 0.2`, a.path, ":::", "1")
	require.NoError(t, cmd.Start())
	a.wait(t, 1)
	require.NoError(t, cmd.Wait())
	a.gone(t)
}

// Slurm sends the signal that asks a job to stop to its items as well: such an
// item has not failed.
func TestSignalToAll(t *testing.T) {
	a := newAlive(t)
	ready := filepath.Join(t.TempDir(), "ready")
	rest := `if [ $DLP_ITEM = 1 ]; then while ! [ -e "` + ready + `" ]; do sleep 0.01; done; kill -TERM $PPID; kill -TERM 0; fi; sleep 1000`
	cmd, stderr := started(t, a, rest, "--grace", "0.1")
	require.NoError(t, os.WriteFile(ready, nil, 0o666))
	cmd.Wait()
	a.gone(t)
	assert.Equal(t, 75, cmd.ProcessState.ExitCode(), stderr)
	assert.NotContains(t, stderr.String(), "failed on rank")
}
