package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/cpus"
)

func requireSubreaper(*testing.T) {}

// Each rank gets one core, in turn; ranks beyond the last core start over.
func TestBindToCore(t *testing.T) {
	found, err := cpus.Cores()
	require.NoError(t, err)
	size := len(found) + 1
	r := run(t, "-l", "-n", strconv.Itoa(size), "--bind-to", "core", "grep", "Cpus_allowed_list", "/proc/self/status")
	require.Equal(t, 0, r.status, r.stderr)
	list := make(map[string]string)
	for _, line := range lines(r.stdout) {
		rank, status, _ := strings.Cut(line, ": ")
		list[strings.TrimSpace(rank)] = strings.TrimSpace(strings.TrimPrefix(status, "Cpus_allowed_list:"))
	}
	require.Len(t, list, size)
	assert.Contains(t, r.stderr, "ameexec: --bind-to core: "+count(len(found), "core", "cores")+" for "+strconv.Itoa(size)+" ranks: rank "+strconv.Itoa(len(found))+" begins again at the first one\n")
	assert.Equal(t, list["0"], list[strconv.Itoa(size-1)])
	if len(found) > 1 {
		assert.NotEqual(t, list["0"], list["1"])
	}
}
