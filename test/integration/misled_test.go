//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/mpi"
	"github.com/dlp-mpi/dlp-go/test/need"
)

// misled are launches in which a program sees something else than there is.
var misled = []struct {
	name    string
	command string
	sums    []string // as in nested
	says    string   // on standard error; a regular expression
}{
	// SLURM_* says four tasks, and the user starts one process in the shell.
	{"by hand in srun --pty bash", `printf 'sub 0\nexit\n' | TERM=dumb script -qec 'srun -N1 -n4 --mpi=none --pty bash --norc' /dev/null`,
		[]string{"0 by 1"}, "SLURM_STEP_NUM_TASKS=4 but this is rank 0 of 1.*srun"},
	{"a job of srun --pty", "script -qec 'srun -N1 -n4 --mpi=none --pty sub 0' /dev/null </dev/null", []string{"0 by 4"}, ""},

	// A descriptor with the number that PMI_FD names, and a live socket, but not
	// the connection of a launcher: it belongs to an outer step.
	{"PMI_FD of an outer step", `srun -w c[1-2] -N2 -n2 --mpi=none bash -c 'exec 9<>/dev/tcp/localhost/22
export PMI_FD=9 PMI_RANK=0 PMI_SIZE=1 PMI_JOBID=77.0; exec sub 0'`, []string{"0 by 2"}, ""},

	// The first component says one task, all together say four.
	{"heterogeneous batch without srun", batch("-w c3 -N1 -n1 : -w c2 -N1 -n3", "sub 0"), []string{"0 by 1"}, "4 tasks.*did you forget srun|SLURM_NTASKS.*did you forget srun"},
}

func TestMisled(t *testing.T) {
	t.Parallel()
	plan(len(misled))
	onClusters(t, shared, func(t *testing.T, c *cluster) {
		for _, m := range misled {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				r := c.run(t, "ctl", patience, "export AME_TIMEOUT=20s; "+m.command)
				require.Zero(t, r.status, "%v", r)
				// A terminal mixes both, with what a shell adds.
				line := regexp.MustCompile(`\d+ \d+ by \d+ ranks\b`)
				got, err := sums(strings.Join(line.FindAllString(r.stdout, -1), "\n"))
				require.NoError(t, err, "%v", r)
				assert.Equal(t, m.sums, got, "%v", r)
				assert.Regexp(t, m.says, r.stdout+r.stderr)
			})
		}
	})
}

// The second program of a task meets an exhausted PMIx server. It comes up all
// the same, or says at once what to do.
func TestSecondProgramUnderPMIx(t *testing.T) {
	t.Parallel()
	launches := []launch{srunPMIx, openmpi}
	plan(len(launches))
	onClusters(t, shared, func(t *testing.T, c *cluster) {
		for _, l := range launches {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				r := c.run(t, "ctl", patience, "export AME_TIMEOUT=20s; "+l.command+" twice.sh")
				got, err := sums(r.stdout)
				require.NoError(t, err, "%v", r)
				if r.status == 0 {
					assert.Equal(t, []string{"0 by 2", "1000 by 2"}, got, "%v", r)
					return
				}
				assert.Equal(t, []string{"0 by 2"}, got, "%v", r)
				assert.Contains(t, r.stderr, "AME_RENDEZVOUS_DIR")
				assert.Less(t, r.elapsed, 45*time.Second, "%v", r)
			})
		}
	})
}

// Rank 0 cannot accept as many connections as there are ranks.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	plan(1)
	onClusters(t, shared, func(t *testing.T, c *cluster) {
		r := c.run(t, "ctl", patience, "AME_TIMEOUT=100s srun -N2 -n40 --mpi=none --kill-on-bad-exit=1 bash -c 'ulimit -n 24; exec sub 0'")
		assert.NotZero(t, r.status, "%v", r)
		assert.Empty(t, r.stdout)
		assert.Contains(t, r.stderr, "too many open files")
		assert.Contains(t, r.stderr, "ulimit -n is 24")
		assert.Contains(t, r.stderr, "40 ranks")
		assert.Less(t, r.elapsed, 60*time.Second, "%v", r)
	})
}

// onThisMachine returns a way to run the commands here, not in the cluster.
func onThisMachine(t *testing.T) func(name string, args ...string) (result, error) {
	paths, err := payload()
	require.NoError(t, err)
	bin := filepath.Dir(paths[0])
	return func(name string, args ...string) (result, error) {
		if own := filepath.Join(bin, name); slices.Contains(paths, own) {
			name = own
		}
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(mpi.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "AME_TIMEOUT=20s")
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		began := time.Now()
		err := cmd.Run()
		return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(began)}, err
	}
}

// A machine whose only addresses are of IPv6: a network namespace of its own.
func TestIPv6Only(t *testing.T) {
	t.Parallel()
	run := onThisMachine(t)
	const only = "ip link set lo up && ip address del 127.0.0.1/8 dev lo && ip link add d0 type veth peer name d1 && " +
		"ip address add fd00::1/64 dev d0 nodad && ip link set d0 up && ip link set d1 up && "
	if r, err := run(need.Program(t, "unshare"), "--net", "sh", "-c", only+"true"); err != nil {
		need.Unable(t, "no network namespace with IPv6 alone: %v", r)
	}
	for _, l := range []launch{
		{"ameexec", "ameexec -n 3 sub 0"},
		{"mpiexec.hydra", "mpiexec.hydra -launcher fork -n 3 sub 0"},
		{"by a file, all addresses", "export OMPI_COMM_WORLD_SIZE=3 AME_RENDEZVOUS_DIR=" + t.TempDir() + "; " +
			"OMPI_COMM_WORLD_RANK=1 sub 0 & OMPI_COMM_WORLD_RANK=2 sub 0 & OMPI_COMM_WORLD_RANK=0 sub 0; s=$?; wait; exit $s"},
		{"by hand", "export AME_SIZE=3 AME_HOST=fd00::1 AME_PORT=23456 AME_AUTHKEY=$(head -c 32 /dev/urandom | base64); " +
			"AME_RANK=1 sub 0 & AME_RANK=2 sub 0 & AME_RANK=0 sub 0; s=$?; wait; exit $s"},
	} {
		t.Run(l.name, func(t *testing.T) {
			r, err := run("unshare", "--net", "sh", "-c", only+l.command)
			require.NoError(t, err, "%v", r)
			got, err := sums(r.stdout)
			require.NoError(t, err)
			assert.Equal(t, []string{"0 by 3"}, got, "%v", r)
		})
	}
}

// A program that is linked with a library of MPI that speaks no PMI-1 comes up
// as many worlds of one rank. ameexec says so, and of no other program.
func TestLinkedWithPMIx(t *testing.T) {
	t.Parallel()
	run := onThisMachine(t)
	dir := t.TempDir()
	const program = `extern const char *PMIx_Get_version(void);
int main(void) { return PMIx_Get_version() == 0; }`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "linked.c"), []byte(program), 0o644))
	library, err := exec.Command(need.Program(t, "pkg-config"), "--libs", "pmix").Output()
	if err != nil {
		need.Missing(t, "libpmix", "libpmix-dev")
	}
	linked := filepath.Join(dir, "linked")
	args := append([]string{"-o", linked, linked + ".c"}, strings.Fields(string(library))...)
	out, err := exec.Command(need.Program(t, "gcc"), args...).CombinedOutput()
	require.NoError(t, err, "%s", out)

	r, err := run("ameexec", "-n", "2", linked)
	require.NoError(t, err, "%v", r)
	assert.Contains(t, r.stderr, "libpmix")
	for _, plain := range []string{"true", "sub 0"} {
		r, err = run("ameexec", append([]string{"-n", "2"}, strings.Fields(plain)...)...)
		require.NoError(t, err, "%v", r)
		assert.Empty(t, r.stderr, plain)
	}
}
