package examples_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dlp-mpi/dlp-go/test/mpi"
)

// The result is complete, whoever is lost.
func TestShrink(t *testing.T) {
	const want = "100 squares, their sum is 328350\n"
	bin := mpi.Ameexec(t, "examples/shrink")
	for _, args := range []string{"-n 1 shrink", "-n 4 shrink", "--continue -n 4 shrink --lose 2", "--continue -n 2 shrink --lose 1"} {
		arguments := strings.Fields(args)
		for i, a := range arguments {
			if a == "shrink" {
				arguments[i] = filepath.Join(bin, a)
			}
		}
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ameexec"), arguments...)
		cmd.Env = mpi.Environ()
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, _ := cmd.Output()
		assert.Equal(t, want, string(out), "%s: %s", args, &stderr)
		status := 0
		if strings.Contains(args, "--lose") {
			status = 137
		}
		assert.Equal(t, status, cmd.ProcessState.ExitCode(), "%s: %s", args, &stderr)
	}
}
