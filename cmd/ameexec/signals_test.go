package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/alive"
)

// number is a signal as an argument.
func number(s syscall.Signal) string { return strconv.Itoa(int(s)) }

// startHolding starts a job of two ranks that say when they get a signal, and
// do not end by it.
func startHolding(t *testing.T, caught syscall.Signal) (*alive.Watch, *exec.Cmd) {
	job := alive.New(t)
	cmd := command(t, with(ranks("hold", job.Path, "0", number(caught)), "-n", "2")...)
	require.NoError(t, cmd.Start())
	job.Wait(t, 2)
	return job, cmd
}

// bothGot returns when both ranks have said that they got a signal.
func bothGot(t *testing.T, job *alive.Watch, s syscall.Signal) {
	for range 2 {
		assert.Equal(t, "got "+number(s), job.Next(t))
	}
}

func TestSignalsEndTheJob(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			job := alive.New(t)
			var stderr strings.Builder
			cmd := command(t, with(ranks("hold", job.Path, "0"), "-n", "2")...)
			cmd.Stderr = &stderr
			require.NoError(t, cmd.Start())
			job.Wait(t, 2)
			require.NoError(t, cmd.Process.Signal(s))
			cmd.Wait()
			assert.Equal(t, 128+int(s), cmd.ProcessState.ExitCode())
			assert.Contains(t, stderr.String(), "killed by signal "+number(s))
			job.Gone(t)
		})
	}
}

func TestSignalsReachEveryRank(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT, syscall.SIGWINCH} {
		t.Run(s.String(), func(t *testing.T) {
			job, cmd := startHolding(t, s)
			require.NoError(t, cmd.Process.Signal(s))
			bothGot(t, job, s)
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			cmd.Wait()
			assert.Equal(t, 143, cmd.ProcessState.ExitCode())
			job.Gone(t)
		})
	}
}

func TestThirdInterruptKills(t *testing.T) {
	job, cmd := startHolding(t, syscall.SIGINT)
	for range patientInterrupts {
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		bothGot(t, job, syscall.SIGINT)
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	cmd.Wait()
	assert.Equal(t, 130, cmd.ProcessState.ExitCode())
	job.Gone(t)
}

// One SIGTERM to ameexec is enough, whatever the ranks make of it.
func TestTerminationEscalates(t *testing.T) {
	job := alive.New(t)
	var stderr strings.Builder
	cmd := command(t, with(ranks("hold", job.Path, "0", number(syscall.SIGTERM)), "--grace", "0.3", "-n", "2")...)
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	job.Wait(t, 2)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	bothGot(t, job, syscall.SIGTERM)
	cmd.Wait()
	assert.Equal(t, 143, cmd.ProcessState.ExitCode())
	assert.Contains(t, stderr.String(), "ameexec: 2 ranks did not end within 300ms of SIGTERM: killed\n")
	job.Gone(t)
}

// Ranks that end by SIGTERM are no reason to send it again to those that need
// a while to end.
func TestTerminationIsPassedOnOnce(t *testing.T) {
	job := alive.New(t)
	script := `[ $AME_RANK = 1 ] && exec "$0" rank hold "$1" 0; exec "$0" rank hold "$1" 0 15`
	cmd := command(t, "-n", "2", "--grace", "1", "/bin/sh", "-c", script, os.Args[0], job.Path)
	require.NoError(t, cmd.Start())
	job.Wait(t, 2)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.Equal(t, "got 15", job.Next(t))
	assert.Empty(t, job.Gone(t), "a second one, or what is left")
	cmd.Wait()
	assert.Equal(t, 143, cmd.ProcessState.ExitCode())
}

// Without --grace a termination may take as long as Slurm gives it.
func TestPatience(t *testing.T) {
	p, err := parse([]string{"ameexec", "-n", "1", "true"}, nil)
	require.NoError(t, err)
	assert.Equal(t, 30*time.Second, p.Patience)
	assert.Equal(t, 5*time.Second, p.Grace)
	p, err = parse([]string{"ameexec", "-n", "1", "--grace", "7", "true"}, nil)
	require.NoError(t, err)
	assert.Equal(t, 7*time.Second, p.Patience)
	assert.Equal(t, 7*time.Second, p.Grace)
}

func TestStubbornRankIsKilledAfterTheGrace(t *testing.T) {
	job := alive.New(t)
	hold := with(ranks("hold", job.Path, "0", number(syscall.SIGTERM)), "--grace", "0.3", "-n", "2")
	args := append(hold, ":", "-n", "1", "/bin/sh", "-c", "read line; exit 3")
	cmd := command(t, append([]string{"--pty", "2"}, args...)...)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	job.Wait(t, 2)
	stdin.Close()
	bothGot(t, job, syscall.SIGTERM)
	cmd.Wait()
	assert.Equal(t, 3, cmd.ProcessState.ExitCode())
	job.Gone(t)
}

// A job that is stopped stops, and does not survive its end.
func TestStopAndContinue(t *testing.T) {
	job, cmd := startHolding(t, syscall.SIGCONT)
	ranks := childrenOf(t, launcherOf(t, cmd))
	require.Len(t, ranks, 2)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTSTP))
	for _, rank := range ranks {
		require.Eventually(t, func() bool {
			state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(rank)).Output()
			return err == nil && strings.HasPrefix(string(state), "T")
		}, patience, 10*time.Millisecond)
	}
	var status syscall.WaitStatus
	_, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
	require.NoError(t, err)
	require.True(t, status.Stopped())
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	bothGot(t, job, syscall.SIGCONT)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
	assert.Equal(t, 143, cmd.ProcessState.ExitCode())
	job.Gone(t)
}
