package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/internal/launch"
	"github.com/dlp-mpi/dlp-go/internal/nesting"
	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// The test binary is also dlp, and its guard.
func TestMain(m *testing.M) {
	switch {
	case os.Args[0] == launch.GuardName:
		syscall.Exit(launch.GuardMain(os.Args)) // in os.Exit the race detector sleeps for a second
	case len(os.Args) > 1 && os.Args[1] == "dlp":
		status := dlpMain(os.Args[1:])
		if file := os.Getenv(peakFile); file != "" {
			text, _ := os.ReadFile("/proc/self/status")
			os.WriteFile(file, text, 0o666)
		}
		os.Exit(status)
	}
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1} {
		if signal.Ignored(s) { // by nohup(1), which dlp would inherit
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	goleak.VerifyTestMain(deadline.Each(m))
}

// peakFile is the variable that names a file in which dlp leaves what the kernel
// says of its memory.
const peakFile = "DLP_TEST_PEAK"

const (
	patience = 3 * time.Minute // for what must happen
	tick     = 5 * time.Millisecond
)

// result is what a run came to.
type result struct {
	status         int
	stdout, stderr string
}

// lines are those of stdout, sorted.
func (r result) lines() []string {
	if r.stdout == "" {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	slices.Sort(lines)
	return lines
}

// testEnviron is an environment that no launcher has touched. The race detector
// would let every process sleep for a second at its end.
func testEnviron(t *testing.T) []string {
	env := slices.DeleteFunc(nesting.Clean(os.Environ()), func(pair string) bool {
		return strings.HasPrefix(pair, "SLURM_") || strings.HasPrefix(pair, "OMP_NUM_THREADS=")
	})
	return append(env, "GORACE=atexit_sleep_ms=0", "TMPDIR="+t.TempDir())
}

// command is dlp map with the environment of a test.
func dlpMap(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"dlp", "map"}, args...)...)
	cmd.Env = testEnviron(t)
	return cmd
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	cmd.Wait()
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// runMap runs dlp map with stdin.
func runMap(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	cmd := dlpMap(t, args...)
	cmd.Stdin = strings.NewReader(stdin)
	return finish(t, cmd)
}

// file writes a file of a test.
func file(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

// read is the text of a file.
func read(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
