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
	"golang.org/x/sys/unix"

	"github.com/dlp-mpi/dlp-go/test/alive"
)

// Daemons that ranks leave behind end with the job.
func TestDaemonsEndWithTheJob(t *testing.T) {
	job := alive.New(t)
	cmd := command(t, "-n", "2", "/bin/sh", "-c", os.Args[0]+" rank hold "+job.Path+" 1 & read line; exit 0")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	job.Wait(t, 4)
	stdin.Close()
	require.NoError(t, cmd.Wait())
	job.Gone(t)
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
	cmd := exec.CommandContext(patient(t), "sh", "-c", `trap "" HUP; exec "$0" ameexec -n 2 grep SigIgn /proc/self/status`, os.Args[0])
	cmd.Env = testEnviron()
	r := finishRun(t, cmd)
	require.Equal(t, 0, r.status, r.stderr)
	got := lines(r.stdout)
	require.Len(t, got, 2)
	for _, line := range got {
		ignored, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(line, "SigIgn:")), 16, 64)
		require.NoError(t, err)
		assert.Equal(t, uint64(1), ignored&1, "bit 0 is signal 1, SIGHUP")
	}
}

// Whichever process of ameexec is killed, nothing of the job is left.
func TestNothingSurvivesSIGKILL(t *testing.T) {
	requireSubreaper(t)
	t.Run("of ameexec", func(t *testing.T) {
		job := alive.New(t)
		cmd := command(t, with(ranks("hold", job.Path, "2"), "-n", "3")...)
		require.NoError(t, cmd.Start())
		job.Wait(t, 9)
		require.NoError(t, cmd.Process.Kill())
		cmd.Wait()
		job.Gone(t)
	})
	t.Run("of its process group", func(t *testing.T) {
		job := alive.New(t)
		cmd := command(t, with(ranks("hold", job.Path, "2"), "-n", "3")...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		require.NoError(t, cmd.Start())
		job.Wait(t, 9)
		require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
		cmd.Wait()
		job.Gone(t)
	})
	t.Run("of ame-launcher", func(t *testing.T) {
		job := alive.New(t)
		var stderr strings.Builder
		cmd := command(t, with(ranks("hold", job.Path, "2"), "-n", "3")...)
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		job.Wait(t, 9)
		require.NoError(t, syscall.Kill(launcherOf(t, cmd), syscall.SIGKILL))
		cmd.Wait()
		assert.Equal(t, 137, cmd.ProcessState.ExitCode())
		assert.Contains(t, stderr.String(), "was killed by signal 9 (SIGKILL)")
		job.Gone(t)
	})
}

// Processes that a shell had started before it became ameexec are not ours.
func TestStrangersAreSpared(t *testing.T) {
	requireSubreaper(t)
	job, stranger := alive.New(t), alive.New(t)
	script := os.Args[0] + ` rank hold "$0" 0 & exec "$@"`
	args := with(ranks("hold", job.Path, "0"), os.Args[0], "ameexec", "-n", "2")
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, stranger.Path}, args...)...)
	cmd.Env = testEnviron()
	require.NoError(t, cmd.Start())
	stranger.Wait(t, 0)
	hello := strings.Fields(stranger.Next(t))
	job.Wait(t, 2)
	pids, err := exec.Command("pgrep", "-P", strconv.Itoa(cmd.Process.Pid), "-x", launcherName).Output()
	require.NoError(t, err)
	launcher, err := strconv.Atoi(strings.TrimSpace(string(pids)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(launcher, syscall.SIGKILL))
	cmd.Wait()
	job.Gone(t)
	pid, err := strconv.Atoi(hello[1])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL), "it must be alive until here")
	stranger.Gone(t)
}
