package bootstrap

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/program"
	"github.com/dlp-mpi/dlp-go/test/mpi"
	"github.com/dlp-mpi/dlp-go/test/need"
)

// mpiexec prepares a job of ranks with the given role: size of them, started
// with further arguments of mpiexec, as command says ({} is the program).
func mpiexec(t testing.TB, role string, size int, arguments []string, command ...string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	arguments = append([]string{"-n", strconv.Itoa(size)}, arguments...)
	for _, word := range command {
		arguments = append(arguments, strings.ReplaceAll(word, "{}", self))
	}
	cmd := exec.CommandContext(t.Context(), need.Program(t, "mpiexec.hydra"), arguments...)
	cmd.WaitDelay = time.Minute / 2 // if a process is left that has its output
	cmd.Env = append(mpi.Environ(), rankRole+"="+role)
	return cmd
}

// requireRanks wants a line of each rank but those that are gone.
func requireRanks(t *testing.T, output string, size int, gone ...int) {
	t.Helper()
	for rank := range size {
		line := fmt.Sprintf("pmi: rank %d of %d, local %d of %d, loopback true\n", rank, size, rank, size)
		if slices.Contains(gone, rank) {
			assert.NotContains(t, output, line)
		} else {
			assert.Contains(t, output, line)
		}
	}
}

func TestHydra(t *testing.T) {
	for _, job := range []struct {
		size      int
		arguments []string
	}{{1, nil}, {2, nil}, {4, nil}, {32, nil}, {64, nil}, {1, []string{"-pmi-port"}}, {4, []string{"-pmi-port"}}} {
		t.Run(fmt.Sprint(job.size, job.arguments), func(t *testing.T) {
			output, err := mpiexec(t, "meet", job.size, job.arguments, "{}").CombinedOutput()
			require.NoError(t, err, "%s", output)
			requireRanks(t, string(output), job.size)
		})
	}
}

// To have finalized is what keeps hydra from killing the others.
func TestHydraLetsARankLeaveEarly(t *testing.T) {
	output, err := mpiexec(t, "leave", 4, nil, "{}").CombinedOutput()
	require.NoError(t, err, "%s", output)
	requireRanks(t, string(output), 4, 1)
}

func TestHydraReportsTheStatus(t *testing.T) {
	output, err := mpiexec(t, "status", 4, nil, "{}").CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", output)
	assert.Equal(t, 3, exit.ExitCode())
	requireRanks(t, string(output), 4)
}

func TestHydraTellsAboutThePrograms(t *testing.T) {
	output, err := mpiexec(t, "program", 1, nil, "{}", ":", "-n", "1", "sh", "-c", "{}; true").CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Contains(t, string(output), fmt.Sprintf("rank 0, application 0, parent %d\n", program.Launcher))
	assert.Contains(t, string(output), fmt.Sprintf("rank 1, application 1, parent %d\n", program.Other))
}

// What a rank starts by itself is no rank.
func TestHydraChildren(t *testing.T) {
	for _, arguments := range [][]string{nil, {"-pmi-port"}} {
		output, err := mpiexec(t, "parent", 3, arguments, "{}").CombinedOutput()
		require.NoError(t, err, "%s", output)
		requireRanks(t, string(output), 3)
		assert.Equal(t, 3, strings.Count(string(output), "child: single: rank 0 of 1, 0 warnings\n"), "%s", output)
	}
}

// A rank that starts mpiexec of its own has a job in its job.
func TestHydraBelowARank(t *testing.T) {
	hydra := need.Program(t, "mpiexec.hydra")
	self, err := os.Executable()
	require.NoError(t, err)
	output, err := mpiexec(t, "", 2, nil, "sh", "-c", nested(hydra, self, 2)).CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Equal(t, 2, strings.Count(string(output), "pmi: rank 0 of 2"), "%s", output)
	assert.Equal(t, 2, strings.Count(string(output), "pmi: rank 1 of 2"), "%s", output)
}

// nested is a command line for sh that starts a job as a rank does: with the
// mark of that rank.
func nested(mpiexec, program string, size int) string {
	return fmt.Sprintf("%s=launch exec %s %s -n %d %s", rankRole, program, mpiexec, size, program)
}

// Two programs at once have one connection to the launcher between them. The
// first that takes it is the rank.
func TestHydraTwoProgramsAtOnce(t *testing.T) {
	output, err := mpiexec(t, "meet", 2, nil, "sh", "-c", "{} & {}; wait").CombinedOutput()
	t.Log(err) // the status is that of one of the two
	requireRanks(t, string(output), 2)
	refused := 0
	for line := range strings.Lines(string(output)) {
		if strings.HasPrefix(line, "bootstrap: pmi: ") {
			refused++
			assert.Contains(t, line, "set AME_BOOTSTRAP=single for them")
		}
	}
	assert.Equal(t, 2, refused, "%s", output)
}

// A second program of the same rank finds the connection closed. It must not
// go on as rank 0 of a job of its own.
func TestHydraSecondProgram(t *testing.T) {
	output, err := mpiexec(t, "meet", 2, nil, "sh", "-c", "{} && {}").CombinedOutput()
	require.Error(t, err, "%s", output)
	requireRanks(t, string(output), 2)
	assert.Contains(t, string(output), "bootstrap: pmi: the connection to mpiexec is gone")
	assert.Contains(t, string(output), "start one program per rank")
}

// BenchmarkHydra measures what finding the job adds to starting 32 processes.
func BenchmarkHydra(b *testing.B) {
	const size = 32
	run := func(cmd *exec.Cmd) time.Duration {
		begin := time.Now()
		output, err := cmd.CombinedOutput()
		require.NoError(b, err, "%s", output)
		return time.Since(begin)
	}
	var idle, joined time.Duration
	for b.Loop() {
		idle += run(mpiexec(b, "", size, nil, "true"))
		joined += run(mpiexec(b, "find", size, nil, "{}"))
	}
	perRun := func(d time.Duration) float64 { return float64(d.Milliseconds()) / float64(b.N) }
	b.ReportMetric(perRun(idle), "ms/true")
	b.ReportMetric(perRun(joined), "ms/find")
	b.ReportMetric(perRun(joined-idle), "ms/added")
}
