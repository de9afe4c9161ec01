package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/alive"
)

// family is the shell script of an item that starts others, in its process
// group and outside of it, and holds the FIFO.
func family(a *alive.Watch, rest string) string {
	return `exec 9>"` + a.Path + `"; sh -c 'echo hello >&9; sleep 1000' & setsid sh -c 'echo hello >&9; sleep 1000' & echo hello >&9; ` + rest
}

// started is dlp map whose items say hello.
func started(t *testing.T, a *alive.Watch, rest string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := dlpMap(t, append(args, "-j", "2", "sh", "-c", family(a, rest), "sh", "{}", ":::", "1", "2", "3")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	a.Wait(t, 6)
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
	a := alive.New(t)
	cmd, stderr := started(t, a, "sleep 1000", "--grace", "0.1")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
	assert.Equal(t, 75, cmd.ProcessState.ExitCode(), stderr)
	assert.Contains(t, stderr.String(), "no item was done")
	a.Gone(t)
}

// The second signal kills, whatever the items make of SIGTERM.
func TestSecondSignalKills(t *testing.T) {
	a := alive.New(t)
	cmd, stderr := started(t, a, "trap '' TERM; while :; do sleep 1; done")
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM)) // a second one of a kind may be one with the first
	cmd.Wait()
	a.Gone(t)
	assert.Contains(t, []int{130, 143}, cmd.ProcessState.ExitCode(), stderr) // the process may get the two in either order
}

// When dlp is killed, so is all that it has started.
func TestKilled(t *testing.T) {
	a := alive.New(t)
	cmd, _ := started(t, a, "sleep 1000")
	require.NoError(t, cmd.Process.Kill())
	cmd.Wait()
	a.Gone(t)
}

// What an item leaves behind ends with dlp.
func TestLeftBehind(t *testing.T) {
	a := alive.New(t)
	cmd := dlpMap(t, "-q", "sh", "-c", `exec 9>"$0"; setsid sh -c 'echo hello >&9; sleep 1000' & sleep 0.2`, a.Path, ":::", "1")
	require.NoError(t, cmd.Start())
	a.Wait(t, 1)
	require.NoError(t, cmd.Wait())
	a.Gone(t)
}

// Slurm sends the signal that asks a job to stop to its items as well: such an
// item has not failed.
func TestSignalToAll(t *testing.T) {
	a := alive.New(t)
	ready := filepath.Join(t.TempDir(), "ready")
	rest := `if [ $DLP_ITEM = 1 ]; then while ! [ -e "` + ready + `" ]; do sleep 0.01; done; kill -TERM $PPID; kill -TERM 0; fi; sleep 1000`
	cmd, stderr := started(t, a, rest, "--grace", "0.1")
	require.NoError(t, os.WriteFile(ready, nil, 0o666))
	cmd.Wait()
	a.Gone(t)
	assert.Equal(t, 75, cmd.ProcessState.ExitCode(), stderr)
	assert.NotContains(t, stderr.String(), "failed on rank")
}

// Before the end of the job dlp stops by itself.
func TestStopBefore(t *testing.T) {
	for _, launcher := range [][]string{nil, {"ameexec", "-n", "2"}} {
		args := []string{"-q", "-j", "1", "--stop-before", "1000", "--range", "1-1000", "sleep", "0.2{}"}
		cmd := dlpMap(t, args...)
		if launcher != nil {
			cmd = underRanks(t, binaries(t), launcher, args...)
		}
		end := time.Now().Add(1002 * time.Second)
		cmd.Env = append(cmd.Env, "SLURM_JOB_ID=1", "SLURM_JOB_END_TIME="+strconv.FormatInt(end.Unix(), 10))
		if launcher == nil {
			cmd.Env = append(cmd.Env, "AME_BOOTSTRAP=single")
		}
		r := finish(t, cmd)
		assert.Equal(t, 75, r.status, r.stderr)
		assert.Contains(t, r.stderr, " items not done\n")
	}
}
