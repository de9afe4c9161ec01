package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func requireSubreaper(*testing.T) {}

func TestParseStat(t *testing.T) {
	for text, want := range map[string]struct {
		state  byte
		parent int
		ok     bool
	}{
		"12 (sh) S 7 12 12 0":        {'S', 7, true},
		"12 (a) Z 1 (b) R 7 12 12 0": {'R', 7, true},
		"12 (new\nline) D 99999 1":   {'D', 99999, true},
		"12 (sh) S":                  {0, 0, false},
		"12 (sh) S x 1":              {'S', 0, false},
		"12 sh S 7":                  {0, 0, false},
		"":                           {0, 0, false},
	} {
		state, parent, ok := parseStat([]byte(text))
		assert.Equal(t, want.ok, ok, text)
		assert.Equal(t, want.state, state, text)
		assert.Equal(t, want.parent, parent, text)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (sh) S 7 12 12 0"))
	f.Fuzz(func(t *testing.T, stat []byte) { parseStat(stat) })
}

func TestDescendants(t *testing.T) {
	assert.NotContains(t, descendants(nil), os.Getpid())
}

// Each rank gets one core, in turn; ranks beyond the last core start over.
func TestBindToCore(t *testing.T) {
	found, err := cores()
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
	assert.Equal(t, list["0"], list[strconv.Itoa(size-1)])
	if len(found) > 1 {
		assert.NotEqual(t, list["0"], list["1"])
	}
}
