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
	"golang.org/x/sys/unix"
)

// number is a signal as an argument.
func number(s syscall.Signal) string { return strconv.Itoa(int(s)) }

// startHolding starts a job of two ranks that say when they get a signal, and
// do not end by it.
func startHolding(t *testing.T, caught syscall.Signal) (*alive, *exec.Cmd) {
	job := newAlive(t)
	cmd := command(t, with(ranks("hold", job.path, "0", number(caught)), "-n", "2")...)
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
			cmd := command(t, with(ranks("hold", job.path, "0"), "-n", "2")...)
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

func TestThirdInterruptKills(t *testing.T) {
	job, cmd := startHolding(t, syscall.SIGINT)
	for range patientInterrupts {
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		job.bothGot(t, syscall.SIGINT)
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	cmd.Wait()
	assert.Equal(t, 130, cmd.ProcessState.ExitCode())
	job.gone(t)
}

// One SIGTERM to ameexec is enough, whatever the ranks make of it.
func TestTerminationEscalates(t *testing.T) {
	job := newAlive(t)
	var stderr strings.Builder
	cmd := command(t, with(ranks("hold", job.path, "0", number(syscall.SIGTERM)), "--grace", "0.3", "-n", "2")...)
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	job.wait(t, 2)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	job.bothGot(t, syscall.SIGTERM)
	cmd.Wait()
	assert.Equal(t, 143, cmd.ProcessState.ExitCode())
	assert.Contains(t, stderr.String(), "ameexec: 2 ranks did not end within 300ms of SIGTERM: killed\n")
	job.gone(t)
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
	job := newAlive(t)
	hold := with(ranks("hold", job.path, "0", number(syscall.SIGTERM)), "--grace", "0.3", "-n", "2")
	args := append(hold, ":", "-n", "1", "/bin/sh", "-c", "read line; exit 3")
	cmd := command(t, append([]string{"--pty", "2"}, args...)...)
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
	job.bothGot(t, syscall.SIGCONT)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
	assert.Equal(t, 143, cmd.ProcessState.ExitCode())
	job.gone(t)
}

// Daemons that ranks leave behind end with the job.
func TestDaemonsEndWithTheJob(t *testing.T) {
	job := newAlive(t)
	cmd := command(t, "-n", "2", "/bin/sh", "-c", os.Args[0]+" rank hold "+job.path+" 1 & read line; exit 0")
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
	children := childrenOf(t, cmd.Process.Pid)
	require.Len(t, children, 1)
	return children[0]
}

func childrenOf(t *testing.T, parent int) (children []int) {
	list, err := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(parent)).Output()
	require.NoError(t, err)
	for _, field := range strings.Fields(string(list)) {
		pid, err := strconv.Atoi(field)
		require.NoError(t, err)
		children = append(children, pid)
	}
	return children
}

// Each rank has a session of its own, and so its share of the machine.
func TestRanksHaveSessions(t *testing.T) {
	_, cmd := startHolding(t, syscall.SIGUSR1)
	for _, rank := range childrenOf(t, launcherOf(t, cmd)) {
		session, err := unix.Getsid(rank)
		require.NoError(t, err)
		assert.Equal(t, rank, session)
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
}

// What whoever started ameexec has it ignore, the ranks ignore: nohup(1).
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	cmd := exec.CommandContext(deadline(t), "sh", "-c", `trap "" HUP; exec "$0" ameexec -n 2 grep SigIgn /proc/self/status`, os.Args[0])
	cmd.Env = testEnviron()
	r := finishRun(t, cmd)
	require.Equal(t, 0, r.status, r.stderr)
	got := lines(r.stdout)
	require.Len(t, got, 2)
	for _, line := range got {
		ignored, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(line, "SigIgn:")), 16, 64)
		require.NoError(t, err)
		assert.Equal(t, uint64(1), ignored, "bit 0 is signal 1, SIGHUP")
	}
}

// Whichever process of ameexec is killed, nothing of the job is left.
func TestNothingSurvivesSIGKILL(t *testing.T) {
	requireSubreaper(t)
	t.Run("of ameexec", func(t *testing.T) {
		job := newAlive(t)
		cmd := command(t, with(ranks("hold", job.path, "2"), "-n", "3")...)
		require.NoError(t, cmd.Start())
		job.wait(t, 9)
		require.NoError(t, cmd.Process.Kill())
		cmd.Wait()
		job.gone(t)
	})
	t.Run("of its process group", func(t *testing.T) {
		job := newAlive(t)
		cmd := command(t, with(ranks("hold", job.path, "2"), "-n", "3")...)
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
		cmd := command(t, with(ranks("hold", job.path, "2"), "-n", "3")...)
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
