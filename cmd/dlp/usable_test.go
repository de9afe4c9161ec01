package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A rank that has not got the program is left out, and costs no item.
func TestProgramIsMissingOnOneRank(t *testing.T) {
	bin := binaries(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "only-here"), []byte("#!/bin/sh\nsleep 0.2; echo $DLP_RANK $1\n"), 0o755))
	// Rank 0 finds it, the other one does not.
	wrapper := filepath.Join(dir, "wrapper")
	require.NoError(t, os.WriteFile(wrapper, []byte("#!/bin/sh\n[ $AME_RANK = 0 ] && PATH=$PATH:"+dir+"\nexec "+filepath.Join(bin, "dlp")+" \"$@\"\n"), 0o755))
	cmd := dlpMap(t)
	cmd.Path = filepath.Join(bin, "ameexec")
	cmd.Args = []string{"ameexec", "-n", "2", wrapper, "map", "-j", "1", "--range", "1-40", "only-here"}
	r := finish(t, cmd)
	assert.Equal(t, 0, r.status, r.stderr)
	lines := r.lines()
	require.Len(t, lines, 40)
	for _, line := range lines {
		assert.True(t, strings.HasPrefix(line, "0 "), line)
	}
	assert.Contains(t, r.stderr, "dlp map: rank 1 on "+hostname(t)+" is left out: only-here: not found in PATH")
}

// If no rank has it, the map ends.
func TestProgramIsMissing(t *testing.T) {
	bin := binaries(t)
	r := finish(t, underRanks(t, bin, []string{"ameexec", "-n", "2"}, "-j", "1", "--range", "1-100000", "no-such-program-here"))
	assert.Equal(t, 1, r.status, r.stderr)
	assert.Contains(t, r.stderr, "no rank can run it: no-such-program-here: not found in PATH")
	r = runMap(t, "", "--range", "1-100000", "no-such-program-here")
	assert.Equal(t, 1, r.status, r.stderr)
	assert.Contains(t, r.stderr, "no rank can run it")
}
