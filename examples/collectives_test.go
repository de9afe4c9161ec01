package examples_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/mpi"
)

func TestCollectives(t *testing.T) {
	runExamples(t, map[string]example{
		"scatter": {want: func(int) []string { return []string{"squares: [0 1 4 9 16 25 36 49 64 81 100]"} }},
		"bcast":   {want: func(int) []string { return []string{"all ranks have the array: true"} }},
		"dot": {want: func(int) []string {
			sum := 0
			for i := range 100_001 {
				sum += i % 1000 * (i%7 - 3)
			}
			return []string{fmt.Sprintf("by reduce: %v", float64(sum)), fmt.Sprintf("by gather: %v", float64(sum))}
		}},
		"pi-scatter": {},
		"nested":     {},
		"smileys": {want: func(size int) (lines []string) {
			faces := []string{"😀", "😁", "😂", "😃", "😄"}[:size]
			for rank, face := range faces {
				lines = append(lines, fmt.Sprintf("rank %d of %d: %s", rank, size, face))
			}
			return append(lines, fmt.Sprint("all: ", faces))
		}},
		"triple":  {want: func(int) []string { return []string{"serial: 59542", "split: 59542", "map: 59542"} }},
		"stencil": {},
	})
}

// Reduce has the digits of a serial run in the same order.
func TestPiByReduce(t *testing.T) {
	bin := mpi.Ameexec(t, "examples/pi-reduce")
	for _, size := range sizes {
		digits := example{}.run(t, bin, "pi-reduce", size)
		serially := example{arguments: func(int) []string {
			return []string{"-n", "1", "pi-reduce", "-ranks", fmt.Sprint(size)}
		}}.run(t, bin, "pi-reduce", 1)
		assert.Equal(t, serially, digits, "%d ranks", size)
		pi, err := strconv.ParseFloat(digits[0], 64)
		require.NoError(t, err)
		assert.InDelta(t, math.Pi, pi, 1e-12)
	}
}

// The plate of the stencil is warm above and cold below.
func TestStencilIsAPlate(t *testing.T) {
	bin := mpi.Ameexec(t, "examples/stencil")
	lines := example{}.run(t, bin, "stencil", 3)
	require.Len(t, lines, 8)
	last := 100.0
	for _, line := range lines[:7] {
		_, text, _ := strings.Cut(line, ": ")
		value, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err, line)
		assert.Less(t, value, last)
		last = value
	}
	assert.Positive(t, last)
}
