package examples_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/mpi"
)

// The file is what one rank alone would write, and nothing of an older one.
func TestParallelOutput(t *testing.T) {
	bin := mpi.Ameexec(t, "examples/parallel-output")
	path := filepath.Join(t.TempDir(), "squares.txt")
	var want strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&want, "%d squared is %d\n", n, n*n)
	}
	require.NoError(t, os.WriteFile(path, make([]byte, 1<<20), 0o600))
	for _, size := range sizes {
		e := example{arguments: func(size int) []string {
			return []string{"-n", fmt.Sprint(size), "parallel-output", path}
		}}
		assert.Equal(t, []string{"1000 lines, 21427 bytes"}, e.run(t, bin, "parallel-output", size))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, want.String(), string(got), "%d ranks", size)
	}
	t.Setenv("TMPDIR", t.TempDir())
	example{}.run(t, bin, "parallel-output", 3)
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left, "what is temporary is removed")
}
