package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/alive"
	"github.com/dlp-mpi/dlp-go/test/mpi"
	"github.com/dlp-mpi/dlp-go/test/need"
)

// underRanks is dlp map under a launcher, with real programs in bin.
func underRanks(t *testing.T, bin string, launcher []string, args ...string) *exec.Cmd {
	cmd := dlpMap(t)
	cmd.Path = launcher[0]
	if !strings.Contains(cmd.Path, "/") {
		cmd.Path = filepath.Join(bin, cmd.Path)
	}
	cmd.Args = append(append(launcher, filepath.Join(bin, "dlp"), "map"), args...)
	return cmd
}

func binaries(t *testing.T) string { return mpi.Ameexec(t, "cmd/dlp", "cmd/dlp-hello") }

// Output of all sizes comes from all ranks, once and whole.
func TestOutputOfRanks(t *testing.T) {
	bin := binaries(t)
	hydra := need.Program(t, "mpiexec.hydra")
	for _, launcher := range [][]string{{"ameexec", "-n", "1"}, {"ameexec", "-n", "3"}, {hydra, "-n", "2"}} {
		r := finish(t, underRanks(t, bin, launcher, "-k", "-j", "2", "--range", "1-40", "--shell",
			`printf '<{}>'; [ $(({} % 3)) = 0 ] && head -c $(({} * 50000)) /dev/zero; [ $(({} % 5)) = 0 ] && printf 'e{};' >&2; sleep 0.02`))
		require.Equal(t, 0, r.status, "%v: %s", launcher, r.stderr)
		var want, wantErr strings.Builder
		for i := 1; i <= 40; i++ {
			want.WriteString("<" + strconv.Itoa(i) + ">")
			if i%3 == 0 {
				want.WriteString(strings.Repeat("\x00", i*50000))
			}
			if i%5 == 0 {
				wantErr.WriteString("e" + strconv.Itoa(i) + ";")
			}
		}
		assert.True(t, want.String() == r.stdout, "%v: %d bytes, want %d", launcher, len(r.stdout), want.Len())
		assert.True(t, strings.HasPrefix(r.stderr, wantErr.String()), r.stderr)
	}
}

func TestLineBufferOfRanks(t *testing.T) {
	bin := binaries(t)
	r := finish(t, underRanks(t, bin, []string{"ameexec", "-n", "3"}, "-q", "--line-buffer", "--tag", "--range", "1-30", "--shell", "echo one {}; echo two {}; printf three"))
	require.Equal(t, 0, r.status, r.stderr)
	lines := r.lines()
	require.Len(t, lines, 90)
	for i := 1; i <= 30; i++ {
		n := strconv.Itoa(i)
		for _, line := range []string{"one " + n, "two " + n, "three"} {
			assert.Contains(t, lines, n+"\t"+line)
		}
	}
}

// What a rank that is killed was working on goes to others; what it had started
// is gone.
func TestKilledRank(t *testing.T) {
	bin := binaries(t)
	a := alive.New(t)
	dir := t.TempDir()
	script := `[ $DLP_RANK = 1 ] && mkdir "$0/$DLP_SLOT" && { exec 9>"$1"; setsid sleep 1000 & echo hello >&9; [ -d "$0/0" ] && [ -d "$0/1" ] && kill -9 $PPID; sleep 1000; }
		head -c 100000 /dev/zero | tr '\0' x; echo; sleep 0.05`
	cmd := underRanks(t, bin, []string{"ameexec", "--continue", "-n", "3"}, "-j", "2", "sh", "-c", script, dir, a.Path, "{}")
	cmd.Stdin = strings.NewReader(strings.Repeat("item\n", 60))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	a.Wait(t, 1)
	cmd.Wait()
	a.Gone(t)
	assert.Equal(t, 137, cmd.ProcessState.ExitCode(), "of the rank that was killed: %s", &stderr)
	assert.Equal(t, strings.Repeat(strings.Repeat("x", 100000)+"\n", 60), stdout.String())
	assert.Contains(t, stderr.String(), "dlp map: 60 done, 0 failed in ")
	assert.Contains(t, stderr.String(), "dlp map: lost rank [1]\n")
}

// A signal to one rank stops all.
func TestSignalOfRanks(t *testing.T) {
	bin := binaries(t)
	a := alive.New(t)
	cmd := underRanks(t, bin, []string{"ameexec", "-n", "2"}, "--grace", "0.1", "-j", "1", "sh", "-c", family(a, "sleep 1000"), "sh", "{}", ":::", "1", "2", "3")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	a.Wait(t, 6)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
	a.Gone(t)
	assert.Equal(t, 75, cmd.ProcessState.ExitCode(), &stderr)
}

func TestFailFastOfRanks(t *testing.T) {
	bin := binaries(t)
	r := finish(t, underRanks(t, bin, []string{"ameexec", "-n", "3"}, "-j", "1", "--fail-fast", "--shell", "[ {} = 2 ] && exit 4; sleep 1000", ":::", "1", "2", "3"))
	assert.Equal(t, 1, r.status, r.stderr)
	assert.Equal(t, 1, strings.Count(r.stderr, "failed on rank"), r.stderr)
}

// An item may be a job of its own, whatever has started dlp, and in a job of Slurm.
func TestItemsAreNoRanks(t *testing.T) {
	bin := binaries(t)
	hydra := need.Program(t, "mpiexec.hydra")
	hello := filepath.Join(bin, "dlp-hello")
	inJob := []string{"SLURM_JOB_ID=9", "SLURM_JOB_NODELIST=other", "SLURM_NODELIST=other", "SLURM_NNODES=1", "SLURM_TASKS_PER_NODE=2", "SLURM_NTASKS=2"}
	for _, launcher := range [][]string{{"ameexec", "-n", "2"}, {hydra, "-n", "2"}} {
		run := func(args ...string) result {
			cmd := underRanks(t, bin, launcher, append([]string{"-q", "-j", "1", "--shell"}, args...)...)
			if launcher[0] == "ameexec" {
				cmd.Env = append(cmd.Env, inJob...)
			}
			return finish(t, cmd)
		}
		for _, item := range [][]string{{hydra, "-n", "2", hello}, {filepath.Join(bin, "ameexec"), "-n", "2", hello}} {
			r := run(append(item, ";:", "{}", ":::", "1", "2", "3")...)
			require.Equal(t, 0, r.status, r.stderr)
			assert.Equal(t, 3, strings.Count(r.stdout, "Hello from rank 1 of 2 "), r.stdout)
		}
		r := run(hello, ";:", "{}", ":::", "1", "2")
		assert.Equal(t, 2, strings.Count(r.stdout, "Hello from rank 0 of 1 "), r.stdout)
	}
}

// Open MPI's mpiexec as an item, in a job of Slurm.
func TestItemsOfOpenMPI(t *testing.T) {
	openmpi := need.Program(t, "mpiexec.openmpi")
	cmd := dlpMap(t, "-q", "env", "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
		openmpi, "--oversubscribe", "-n", "2", "sh", "-c", "echo rank $OMPI_COMM_WORLD_RANK", "{}", ":::", "1")
	cmd.Env = append(cmd.Env, "SLURM_JOB_ID=9", "SLURM_NODELIST=other", "SLURM_NNODES=1", "SLURM_TASKS_PER_NODE=2", "AME_BOOTSTRAP=single")
	r := finish(t, cmd)
	require.Equal(t, 0, r.status, r.stderr)
	assert.Equal(t, []string{"rank 0", "rank 1"}, r.lines())
}
