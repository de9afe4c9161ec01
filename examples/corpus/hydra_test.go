package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

// Under a launcher that is not ours, the result is that of a serial run. It is
// skipped where there is no MPICH, except in CI, which installs it.
func TestHydra(t *testing.T) {
	mpiexec := need.Program(t, "mpiexec.hydra")
	dir := tree(t, map[string]string{"a.go": "package a\n", "b.go": "package b\nvar a, b int\n", "c/c.go": "package c\n"})
	want := result(t, 1, options{serial: true, dir: dir})
	for _, size := range []int{1, 2, 4, 32} {
		cmd := exec.CommandContext(t.Context(), mpiexec, "-n", strconv.Itoa(size), os.Args[0], "--json", dir)
		cmd.Env = append(os.Environ(), asProgram+"=1", "AME_BOOTSTRAP=pmi", "GORACE=atexit_sleep_ms=0")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		require.NoError(t, cmd.Run(), stderr.String())
		var got summary
		require.NoError(t, json.Unmarshal(stdout.Bytes(), &got))
		assert.Len(t, got.ItemsPerRank, size)
		got.ItemsPerRank, got.Seconds = nil, 0
		assert.Equal(t, want, got)
	}
}
