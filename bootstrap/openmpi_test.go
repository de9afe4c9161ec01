package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/program"
	"github.com/dlp-mpi/dlp-go/test/mpi"
	"github.com/dlp-mpi/dlp-go/test/need"
)

// openMPI runs size ranks of the given role under Open MPI's mpiexec, as
// command says ({} is the program). It returns what they print.
func openMPI(t testing.TB, role string, size int, variables []string, command ...string) (output string, exit int) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	arguments := []string{"-n", strconv.Itoa(size)}
	for _, word := range command {
		arguments = append(arguments, strings.ReplaceAll(word, "{}", self))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := mpi.OpenMPI(ctx, t, arguments...)
	cmd.WaitDelay = time.Minute / 2
	cmd.Env = append(cmd.Env, variables...)
	cmd.Env = append(cmd.Env, rankRole+"="+role)
	out, err := cmd.CombinedOutput()
	require.NoError(t, ctx.Err(), "mpiexec hangs: %s", out)
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func requireOpenMPIRanks(t *testing.T, method, output string, size int) {
	t.Helper()
	for rank := range size {
		line := fmt.Sprintf("%s: rank %d of %d, local %d of %d, loopback true\n", method, rank, size, rank, size)
		assert.Equal(t, 1, strings.Count(output, line), "%s in\n%s", line, output)
	}
}

func forced(method string) []string { return []string{"AME_BOOTSTRAP=" + method} }

func TestOpenMPI(t *testing.T) {
	for _, method := range []string{"pmix", "pmix-file"} {
		for _, size := range []int{1, 2, 5, 32} {
			t.Run(fmt.Sprint(method, " ", size), func(t *testing.T) {
				variables := forced(method)
				if method == "pmix" {
					variables = nil // is chosen
				}
				output, exit := openMPI(t, "meet", size, variables, "{}")
				require.Zero(t, exit, output)
				requireOpenMPIRanks(t, method, output, size)
			})
		}
	}
}

// A task that starts two programs at the same time: the second one is told so at
// once, and does not meet ranks, or keep them, that are of the first.
func TestOpenMPIRankTwice(t *testing.T) {
	output, exit := openMPI(t, "twice", 2, nil, "{}")
	require.Zero(t, exit, output)
	requireOpenMPIRanks(t, "pmix", output, 2)
	refused := regexp.MustCompile(`other process of rank \d: exit status 1, bootstrap: pmix: process \d+ is the rank already: ` +
		`has this task started two programs at the same time\? .* AME_BOOTSTRAP=single`)
	assert.Len(t, refused.FindAllString(output, -1), 2, output)
}

// All ranks have finalized, so one that ends early is of no concern.
func TestOpenMPILetsARankLeaveEarly(t *testing.T) {
	output, exit := openMPI(t, "leave", 4, nil, "{}")
	require.Zero(t, exit, output)
	assert.Equal(t, 3, strings.Count(output, "pmix: rank"), output)
}

func TestOpenMPIReportsTheStatus(t *testing.T) {
	output, exit := openMPI(t, "status", 4, nil, "{}")
	assert.Equal(t, 3, exit, output)
}

func TestOpenMPITellsAboutThePrograms(t *testing.T) {
	for _, method := range []string{"pmix", "pmix-file"} {
		output, exit := openMPI(t, "program", 2, append(forced(method), "AME_RENDEZVOUS_DIR="+t.TempDir()), "{}", ":", "-n", "1", "sh", "-c", "{}; true")
		require.Zero(t, exit, output)
		assert.Contains(t, output, fmt.Sprintf("rank 1, application 0, parent %d\n", program.Launcher))
		assert.Contains(t, output, fmt.Sprintf("rank 2, application 1, parent %d\n", program.Other))
	}
}

// What a rank starts by itself is no rank.
func TestOpenMPIChildren(t *testing.T) {
	for _, method := range []string{"pmix", "pmix-file"} {
		output, exit := openMPI(t, "parent", 3, forced(method), "{}")
		require.Zero(t, exit, output)
		requireOpenMPIRanks(t, method, output, 3)
		assert.Equal(t, 3, strings.Count(output, "child: single: rank 0 of 1, 0 warnings\n"), output)
	}
}

// Two programs one after the other in the same task.
func TestOpenMPISecondProgram(t *testing.T) {
	for _, method := range []string{"pmix", "pmix-file"} {
		t.Run(method, func(t *testing.T) {
			output, exit := openMPI(t, "meet", 4, forced(method), "sh", "-c", "{} && {} && {}")
			require.Zero(t, exit, output)
			for rank := range 4 {
				assert.Equal(t, 3, strings.Count(output, fmt.Sprintf("rank %d of 4", rank)), output)
			}
		})
	}
}

// Where the server is good for one program of a task, the next ones meet by
// files, without being told. It is one of a better version here.
func TestOpenMPISecondProgramOfAnOldServer(t *testing.T) {
	const three = "export PMIX_VERSION=4.0.0; {} && {} && {}"
	dir := t.TempDir()
	output, exit := openMPI(t, "meet", 3, []string{"AME_RENDEZVOUS_DIR=" + dir}, "sh", "-c", three)
	require.Zero(t, exit, output)
	for rank := range 3 {
		assert.Equal(t, 3, strings.Count(output, fmt.Sprintf("pmix: rank %d of 3", rank)), output)
	}
	assert.Empty(t, entries(t, dir))

	output, exit = openMPI(t, "meet", 3, []string{"AME_RENDEZVOUS_DIR=/nowhere"}, "sh", "-c", three)
	require.NotZero(t, exit)
	assert.Contains(t, output, "this is program number 2 of its task, and PMIx 4.0.0 serves the first alone, so the ranks meet by a file: AME_RENDEZVOUS_DIR: stat /nowhere")
}

// Inside of a user namespace whose ids are not the server's, pmix must not
// even try, and the file takes its place.
func TestOpenMPIUserNamespace(t *testing.T) {
	unshare := []string{"unshare", "--user", "--map-user=12345", "--map-group=12345"}
	if out, err := exec.Command(unshare[0], append(unshare[1:], "true")...).CombinedOutput(); err != nil {
		need.Unable(t, "this machine allows no user namespaces: %v %s", err, out)
	}
	output, exit := openMPI(t, "meet", 3, nil, append(unshare, "{}")...)
	require.Zero(t, exit, output)
	requireOpenMPIRanks(t, "pmix-file", output, 3)
}

// Jobs one after another and two at a time, in one directory: none sees the
// file of another, and none leaves one.
func TestOpenMPIFileJobs(t *testing.T) {
	dir := t.TempDir()
	variables := append(forced("pmix-file"), "AME_RENDEZVOUS_DIR="+dir)
	for range 10 {
		var pair sync.WaitGroup
		for range 2 {
			pair.Go(func() {
				output, exit := openMPI(t, "meet", 3, variables, "{}")
				assert.Zero(t, exit, output)
				requireOpenMPIRanks(t, "pmix-file", output, 3)
			})
		}
		pair.Wait()
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// Ranks that do not know that they are on one node use all its addresses.
func TestOpenMPIFileAllAddresses(t *testing.T) {
	variables := append(forced("pmix-file"), "AME_RENDEZVOUS_DIR="+t.TempDir())
	output, exit := openMPI(t, "meet", 4, variables, "env", "-u", "OMPI_COMM_WORLD_LOCAL_SIZE", "{}")
	require.Zero(t, exit, output)
	assert.Equal(t, 4, strings.Count(output, "pmix-file: rank"), output)
}

// A directory that cannot be written to ends the job, with the reason, long
// before anybody's deadline.
func TestOpenMPIFileDirectoryBroken(t *testing.T) {
	for name, dir := range map[string]string{"read-only": need.Tmpfs(t, "ro"), "full": need.Tmpfs(t, "nr_inodes=1")} {
		t.Run(name, func(t *testing.T) {
			output, exit := openMPI(t, "meet", 3, append(forced("pmix-file"), "AME_RENDEZVOUS_DIR="+dir), "{}")
			assert.NotZero(t, exit)
			assert.Contains(t, output, "bootstrap: pmix-file: rendezvous file in "+dir)
			assert.Contains(t, output, "set AME_RENDEZVOUS_DIR to a directory that all ranks can write to")
		})
	}
}

// If rank 0 cannot listen, all ranks say so.
func TestOpenMPIRootCannotListen(t *testing.T) {
	output, exit := openMPI(t, "meet", 3, []string{"AME_PORT_RANGE=nonsense"}, "{}")
	assert.NotZero(t, exit)
	assert.Contains(t, output, `AME_PORT_RANGE="nonsense" is not a range of ports`)
}
