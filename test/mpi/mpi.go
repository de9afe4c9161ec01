// Package mpi prepares the launchers of MPI that tests start. It is for tests only.
package mpi

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/dlp-mpi/dlp-go/internal/nesting"
	"github.com/dlp-mpi/dlp-go/test/need"
)

// Environ is the environment without what a launcher has left in it that runs
// the tests themselves.
func Environ() []string {
	return append(nesting.Clean(os.Environ()), "GORACE=atexit_sleep_ms=0") // or every rank lives a second longer under -race
}

// OpenMPI prepares mpiexec of Open MPI, with more ranks than there are cores
// if need be. Without it the test is skipped, or fails where CI is set.
func OpenMPI(ctx context.Context, t testing.TB, arguments ...string) *exec.Cmd {
	t.Helper()
	arguments = append([]string{"--oversubscribe"}, arguments...)
	if os.Geteuid() == 0 {
		arguments = append([]string{"--allow-run-as-root"}, arguments...)
	}
	cmd := exec.CommandContext(ctx, need.Program(t, "mpiexec.openmpi"), arguments...)
	// All jobs of a user make the same directory for their sessions, and of
	// two that do so at once one fails (Open MPI 4.1: "A call to mkdir was
	// unable to create the desired directory: File exists"). Not t.TempDir: its
	// name is too long for the sockets in it.
	tmp, err := os.MkdirTemp("", "ompi")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	cmd.Env = append(Environ(), "TMPDIR="+tmp)
	return cmd
}
