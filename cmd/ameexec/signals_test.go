package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// number is a signal as an argument.
func number(s syscall.Signal) string { return strconv.Itoa(int(s)) }

// startHolding starts a job of two ranks that say when they get a signal, and
// do not end by it.
func startHolding(t *testing.T, caught syscall.Signal) (*alive, *exec.Cmd) {
	job := newAlive(t)
	cmd := command(with(ranks("hold", job.path, "0", number(caught)), "-n", "2")...)
	require.NoError(t, cmd.Start())
	job.wait(t, 2)
	return job, cmd
}

// bothGot returns when both ranks have said that they got a signal.
func (a *alive) bothGot(t *testing.T, s syscall.Signal) {
	for range 2 {
		assert.Equal(t, "got "+number(s), a.next(t))
	}
}

func TestSignalsEndTheJob(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			job := newAlive(t)
			var stderr strings.Builder
			cmd := command(with(ranks("hold", job.path, "0"), "-n", "2")...)
			cmd.Stderr = &stderr
			require.NoError(t, cmd.Start())
			job.wait(t, 2)
			require.NoError(t, cmd.Process.Signal(s))
			cmd.Wait()
			assert.Equal(t, 128+int(s), cmd.ProcessState.ExitCode())
			assert.Contains(t, stderr.String(), "killed by signal "+number(s))
			job.gone(t)
		})
	}
}

func TestSignalsReachEveryRank(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT, syscall.SIGWINCH} {
		t.Run(s.String(), func(t *testing.T) {
			job, cmd := startHolding(t, s)
			require.NoError(t, cmd.Process.Signal(s))
			job.bothGot(t, s)
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			cmd.Wait()
			assert.Equal(t, 143, cmd.ProcessState.ExitCode())
			job.gone(t)
		})
	}
}

func TestSecondInterruptKills(t *testing.T) {
	job, cmd := startHolding(t, syscall.SIGINT)
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	job.bothGot(t, syscall.SIGINT)
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	cmd.Wait()
	assert.Equal(t, 130, cmd.ProcessState.ExitCode())
	job.gone(t)
}

func TestStubbornRankIsKilledAfterTheGrace(t *testing.T) {
	job := newAlive(t)
	hold := with(ranks("hold", job.path, "0", number(syscall.SIGTERM)), "--grace", "0.3", "-n", "2")
	args := append(hold, ":", "-n", "1", "/bin/sh", "-c", "read line; exit 3")
	cmd := command(append([]string{"--pty", "2"}, args...)...)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	job.wait(t, 2)
	stdin.Close()
	job.bothGot(t, syscall.SIGTERM)
	cmd.Wait()
	assert.Equal(t, 3, cmd.ProcessState.ExitCode())
	job.gone(t)
}

// A stopped job must not survive its end.
func TestStopAndContinue(t *testing.T) {
	job, cmd := startHolding(t, syscall.SIGCONT)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTSTP))
	var status syscall.WaitStatus
	_, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
	require.NoError(t, err)
	require.True(t, status.Stopped())
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	job.bothGot(t, syscall.SIGCONT)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
	assert.Equal(t, 143, cmd.ProcessState.ExitCode())
	job.gone(t)
}

// Daemons that ranks leave behind end with the job.
func TestDaemonsEndWithTheJob(t *testing.T) {
	job := newAlive(t)
	cmd := command("-n", "2", "/bin/sh", "-c", os.Args[0]+" rank hold "+job.path+" 1 & read line; exit 0")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	job.wait(t, 4)
	stdin.Close()
	require.NoError(t, cmd.Wait())
	job.gone(t)
}

// launcherOf finds the second process of a running ameexec.
func launcherOf(t *testing.T, cmd *exec.Cmd) int {
	children, err := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(cmd.Process.Pid)).Output()
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	require.NoError(t, err)
	return pid
}

// Whichever process of ameexec is killed, nothing of the job is left.
func TestNothingSurvivesSIGKILL(t *testing.T) {
	requireSubreaper(t)
	t.Run("of ameexec", func(t *testing.T) {
		job := newAlive(t)
		cmd := command(with(ranks("hold", job.path, "2"), "-n", "3")...)
		require.NoError(t, cmd.Start())
		job.wait(t, 9)
		require.NoError(t, cmd.Process.Kill())
		cmd.Wait()
		job.gone(t)
	})
	t.Run("of its process group", func(t *testing.T) {
		job := newAlive(t)
		cmd := command(with(ranks("hold", job.path, "2"), "-n", "3")...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		require.NoError(t, cmd.Start())
		job.wait(t, 9)
		require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
		cmd.Wait()
		job.gone(t)
	})
	t.Run("of ame-launcher", func(t *testing.T) {
		job := newAlive(t)
		var stderr strings.Builder
		cmd := command(with(ranks("hold", job.path, "2"), "-n", "3")...)
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		job.wait(t, 9)
		require.NoError(t, syscall.Kill(launcherOf(t, cmd), syscall.SIGKILL))
		cmd.Wait()
		assert.Equal(t, 137, cmd.ProcessState.ExitCode())
		assert.Contains(t, stderr.String(), "was killed by signal 9 (SIGKILL)")
		job.gone(t)
	})
}

// Processes that a shell had started before it became ameexec are not ours.
func TestStrangersAreSpared(t *testing.T) {
	requireSubreaper(t)
	job, stranger := newAlive(t), newAlive(t)
	script := os.Args[0] + ` rank hold "$0" 0 & exec "$@"`
	args := with(ranks("hold", job.path, "0"), os.Args[0], "ameexec", "-n", "2")
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, stranger.path}, args...)...)
	cmd.Env = testEnviron()
	require.NoError(t, cmd.Start())
	stranger.wait(t, 0)
	hello := strings.Fields(stranger.next(t))
	job.wait(t, 2)
	pids, err := exec.Command("pgrep", "-P", strconv.Itoa(cmd.Process.Pid), "-x", launcherName).Output()
	require.NoError(t, err)
	launcher, err := strconv.Atoi(strings.TrimSpace(string(pids)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(launcher, syscall.SIGKILL))
	cmd.Wait()
	job.gone(t)
	pid, err := strconv.Atoi(hello[1])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL), "it must be alive until here")
	stranger.gone(t)
}
