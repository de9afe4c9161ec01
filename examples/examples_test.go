// Package examples_test runs the examples as their users do.
package examples_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/mpi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

// sizes are the numbers of ranks that each example is run with.
var sizes = []int{1, 2, 3, 5}

// example is a program with what it prints.
type example struct {
	// arguments are those of ameexec for a number of ranks; nil: just that
	// number, and the program.
	arguments func(size int) []string

	// want are the lines of stdout for a number of ranks, in any order; nil:
	// what the program prints alone.
	want func(size int) []string
}

// run runs an example under ameexec and returns the lines of stdout, sorted.
func (e example) run(t *testing.T, bin, name string, size int) []string {
	arguments := []string{"-n", fmt.Sprint(size), name}
	if e.arguments != nil {
		arguments = e.arguments(size)
	}
	for i, a := range arguments {
		if a == name {
			arguments[i] = filepath.Join(bin, name)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ameexec"), arguments...)
	cmd.Env = mpi.Environ()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%v: %s", arguments, &stderr)
	assert.Empty(t, stderr.String())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return lines
}

// runExamples compares what examples print with what they print alone, or
// should print.
func runExamples(t *testing.T, examples map[string]example) {
	var folders []string
	for name := range examples {
		folders = append(folders, "examples/"+name)
	}
	deadline.Extend(t, 3*time.Minute) // on a busy machine they take their time to build
	bin := mpi.Ameexec(t, folders...)
	for name, e := range examples {
		t.Run(name, func(t *testing.T) {
			alone := e.run(t, bin, name, 1)
			assert.NotEqual(t, []string{""}, alone)
			for _, size := range sizes {
				want := alone
				if e.want != nil {
					want = e.want(size)
					slices.Sort(want)
				}
				assert.Equal(t, want, e.run(t, bin, name, size), "%d ranks", size)
			}
		})
	}
}
