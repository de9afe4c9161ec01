package pmi

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

// buildMPICH compiles the program of testdata/mpich-program. Without MPICH's
// compiler the test is skipped, except in CI, which installs it.
func buildMPICH(t *testing.T) string {
	compiler := need.Program(t, "mpicc.mpich")
	// Docker's tests make and drop interfaces, at which UCX may stumble.
	t.Setenv("UCX_TLS", "self,sm")
	program := filepath.Join(t.TempDir(), "program")
	output, err := exec.Command(compiler, "-o", program, "testdata/mpich-program/program.c").CombinedOutput()
	require.NoError(t, err, "%s", output)
	return program
}

// runUnder runs size processes of command under a Server and kills them when
// the job has failed or one of them, as a launcher does. It returns what they
// wrote and what Serve returned.
func runUnder(t *testing.T, size int, command ...string) (output string, served error) {
	s, err := NewServer(Config{Job: "kvs_0", Nodes: oneNode(size)})
	require.NoError(t, err)
	s.desertion = 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	conns := make([]net.Conn, size)
	outputs := make([]bytes.Buffer, size)
	var processes sync.WaitGroup
	for rank := range size {
		conn, child, err := Pair()
		require.NoError(t, err)
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Env = append(os.Environ(), Environ(3, rank, size, rank, size)...)
		cmd.ExtraFiles = []*os.File{child}
		cmd.Stdout, cmd.Stderr = &outputs[rank], &outputs[rank]
		require.NoError(t, cmd.Start())
		require.NoError(t, child.Close())
		defer conn.Close()
		conns[rank] = conn
		processes.Go(func() {
			if cmd.Wait() != nil {
				cancel()
			}
		})
	}
	served = s.Serve(ctx, conns)
	if served != nil {
		cancel()
	}
	processes.Wait()
	for rank := range outputs {
		output += outputs[rank].String()
	}
	return output, served
}

func TestServerRunsMPICH(t *testing.T) {
	program := buildMPICH(t)
	for _, size := range []int{1, 2, 3} {
		output, err := runUnder(t, size, program)
		require.NoError(t, err, output)
		assert.Equal(t, size, strings.Count(output, "is done\n"), output)
	}
}

// The names that ranks publish are those of the server, not files.
func TestServerKeepsNamesOfMPICH(t *testing.T) {
	output, err := runUnder(t, 3, buildMPICH(t), "publish")
	require.NoError(t, err, output)
	assert.Equal(t, 3, strings.Count(output, "is done\n"), output)
}

func TestServerEndsMPICHJobs(t *testing.T) {
	program := buildMPICH(t)
	for _, tt := range []struct {
		ending  []string
		text    string
		status  int
		aborted bool
	}{
		{[]string{"abort", "7"}, "rank 1: aborted the job with exit code 7", 7, true},
		{[]string{"leave"}, "rank 1: has left without finalizing PMI", 1, false},
		// MPICH takes the refusal for an error of MPI_Comm_spawn.
		{[]string{"spawn"}, "rank 0: aborted the job", 0, true},
	} {
		t.Run(tt.ending[0], func(t *testing.T) {
			output, err := runUnder(t, 3, append([]string{program}, tt.ending...)...)
			var failed *JobError
			require.ErrorAs(t, err, &failed, output)
			assert.ErrorContains(t, err, tt.text)
			assert.Equal(t, tt.aborted, failed.Aborted)
			if tt.status != 0 {
				assert.Equal(t, tt.status, failed.Status)
			}
		})
	}
}
