package main

import (
	"errors"
	"testing"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

func TestTargets(t *testing.T) {
	found, err := targets(t.Context(), []string{module + "/slurm", module + "/test/need", module + "/bootstrap"})
	require.NoError(t, err)
	var names []string
	for _, target := range found {
		names = append(names, target.String())
	}
	assert.Contains(t, names, "slurm FuzzHostlist")
	assert.Contains(t, names, "bootstrap FuzzInvitation")
	_, err = targets(t.Context(), []string{"./absent"})
	assert.ErrorContains(t, err, "absent")
}

func TestOutcome(t *testing.T) {
	said := "fuzz: elapsed: 3s, execs: 7 (2/sec), new interesting: 0 (total: 2)\nfuzz: elapsed: 6s, execs: 19782 (0/sec), new interesting: 8 (total: 20)\nPASS\n"
	assert.Equal(t, "ok, inputs: 19782 (0/sec), new interesting: 8 (total: 20)", outcome(said, nil))
	assert.Equal(t, "ok", outcome("PASS\n", nil))
	assert.Equal(t, "FAILED (exit status 1)", outcome("--- FAIL", errors.New("exit status 1")))
}

func TestEndOfTheTimeIsNoFailure(t *testing.T) {
	assert.True(t, late("fuzz: elapsed: 10s, execs: 4029 (739/sec)\n--- FAIL: FuzzFile (10.51s)\n    context deadline exceeded\nFAIL\n"))
	assert.False(t, late("--- FAIL: FuzzFile (1s)\n    context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzFile/1\n"))
	assert.False(t, late("PASS\n"))
}
