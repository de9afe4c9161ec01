package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A program that a rank starts is no rank.
func TestChildrenOfRanksAreSingle(t *testing.T) {
	r := run(t, with(ranks("parent", "rank", "join", "1"), "-n", "3")...)
	require.Equal(t, 0, r.status, r.stderr)
	assert.Equal(t, 3, strings.Count(r.stdout, "single 0/1 "), r.stdout)
}

// Ranks of an ameexec that a rank starts are ranks, whatever they have inherited.
func TestAmeexecBelowARank(t *testing.T) {
	inner := append([]string{"ameexec", "-n", "2", os.Args[0]}, "rank", "join", "1")
	r := run(t, with(ranks("parent", inner...), "-n", "2")...)
	require.Equal(t, 0, r.status, r.stderr)
	for _, place := range []string{"ame 0/2 ", "ame 1/2 "} {
		assert.Equal(t, 2, strings.Count(r.stdout, place), r.stdout)
	}
}
