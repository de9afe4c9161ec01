package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

// The program under a launcher that is not ours. It is skipped where there is
// no MPICH, except in CI, which installs it.
func TestHydra(t *testing.T) {
	mpiexec := need.Program(t, "mpiexec.hydra")
	for _, size := range []int{1, 2, 4, 32} {
		t.Setenv("AME_TLS", strconv.FormatBool(size == 4))
		p := start(t, nil, "-n", strconv.Itoa(size), os.Args[0])
		p.Path, p.Args[0] = mpiexec, mpiexec
		require.NoError(t, p.Start())
		require.Zero(t, p.status(t), p.stderr.String())
		assert.Empty(t, p.stderr.String())
		assert.Equal(t, size, strings.Count(p.stdout.String(), "Hello from rank "))
		assert.Contains(t, p.stdout.String(), "\nMethod:   pmi\n")
	}
}
