package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/dlp-mpi/dlp-go/internal/nesting"
	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// The test binary is also ameexec, its launcher, and the program that the
// ranks run.
func TestMain(m *testing.M) {
	switch {
	case os.Args[0] == launcherName:
		os.Exit(launcherMain())
	case len(os.Args) > 1 && os.Args[1] == "ameexec":
		os.Exit(frontMain(os.Args[1:]))
	case len(os.Args) > 3 && os.Args[1] == "limited":
		limited(os.Args[2])
		os.Exit(frontMain(os.Args[3:]))
	case len(os.Args) > 2 && os.Args[1] == "rank":
		rankMain(os.Args[2], os.Args[3:])
		os.Exit(0)
	}
	// nohup(1) and sh(1), in the background, have signals ignored, which is
	// inherited: what is handled here is at its default in our children.
	for _, s := range forwarded {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	goleak.VerifyTestMain(deadline.Each(m))
}

// limited sets a limit that ameexec then meets: nproc=5, nofile=40.
func limited(text string) {
	name, value, _ := strings.Cut(text, "=")
	limit, _ := strconv.ParseUint(value, 10, 64)
	which := map[string]int{"nproc": unix.RLIMIT_NPROC, "nofile": syscall.RLIMIT_NOFILE}[name]
	if err := syscall.Setrlimit(which, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		panic(err)
	}
}

// result is what a run of ameexec came to.
type result struct {
	status         int
	stdout, stderr string
}

// ranks is the start of the command line of the program that ranks run.
func ranks(what string, args ...string) []string {
	return append([]string{os.Args[0], "rank", what}, args...)
}

// command is ameexec with the environment of a test.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(patient(t), os.Args[0], append([]string{"ameexec"}, args...)...)
	cmd.Env = testEnviron()
	return cmd
}

// patience is how long what a test has started may run.
const patience = 3 * time.Minute

// patient returns a context that ends what a test has started before the test
// itself is overdue.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// testEnviron is an environment that no launcher has touched. The race
// detector would let every process sleep for a second at its end.
func testEnviron() []string {
	return append(nesting.Clean(os.Environ()), "GORACE=atexit_sleep_ms=0")
}

// with joins options and the program's command line.
func with(program []string, options ...string) []string { return append(options, program...) }

func run(t *testing.T, args ...string) result {
	t.Helper()
	return finishRun(t, command(t, args...))
}

func finishRun(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	cmd.Wait()
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// lines splits output into its lines.
func lines(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
