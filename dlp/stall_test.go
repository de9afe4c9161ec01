package dlp

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/mpi"
)

// stalls are programs whose ranks come to wait for each other, or seem to.
var stalls = map[string]func(ctx context.Context, world, dup *Comm) error{
	"barrier of a dup": func(ctx context.Context, world, dup *Comm) error {
		if world.Rank() == 1 {
			return world.Barrier(ctx)
		}
		return dup.Barrier(ctx)
	},
	"barrier in memory": func(ctx context.Context, world, dup *Comm) error {
		for _, c := range []*Comm{world, dup} {
			if err := c.Barrier(ctx); err != nil {
				return err
			}
		}
		if world.IsRoot() {
			return world.Barrier(ctx)
		}
		return dup.Barrier(ctx)
	},
	"recv": func(ctx context.Context, world, dup *Comm) error {
		_, _, err := Recv[int](ctx, world, (world.Rank()+1)%world.Size(), AnyTag)
		return err
	},
	"in work": func(ctx context.Context, world, dup *Comm) error {
		for _, err := range MapUnordered(ctx, world, numbers(2), func(ctx context.Context, _ int) (int, error) {
			return 0, dup.Barrier(ctx)
		}) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"a goroutine comes later": func(ctx context.Context, world, dup *Comm) error {
		if world.Rank() != 1 {
			if err := world.Barrier(ctx); err != nil {
				return err
			}
			return dup.Barrier(ctx)
		}
		late := make(chan error)
		go func() {
			time.Sleep(3 * time.Second) // its work
			late <- world.Barrier(ctx)
		}()
		if err := dup.Barrier(ctx); err != nil {
			return err
		}
		return <-late
	},
}

// stallVariable makes the test binary a rank of one of them.
const stallVariable = "DLP_TEST_STALL"

func stallProgram(ctx context.Context, world *Comm, name string) error {
	dup, err := world.Dup(ctx)
	if err != nil {
		return err
	}
	return stalls[name](ctx, world, dup)
}

// runStall runs one of them on three ranks.
func runStall(t *testing.T, name string) (out string, status int) {
	bin := mpi.Ameexec(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ameexec"), "-n", "3", os.Args[0])
	cmd.Env = append(mpi.Environ(), stallVariable+"="+name)
	b, _ := cmd.CombinedOutput()
	return string(b), cmd.ProcessState.ExitCode()
}

// Where it is certain that ranks wait for each other for ever, that is an error
// that says where each of them is.
func TestRanksWaitForEachOther(t *testing.T) {
	for name, want := range map[string]string{
		"barrier of a dup":  `all ranks wait for each other, none can go on: ranks 0,2 are in barrier \(stall_test.go:\d+\) on communicator \d+, rank 1 on \S+ is in barrier \(stall_test.go:\d+\)\n`,
		"barrier in memory": `all ranks wait for each other, none can go on: rank 0 on \S+ is in barrier \(stall_test.go:\d+\), ranks 1-2 are in barrier \(stall_test.go:\d+\) on communicator \d+`,
		"recv": `all ranks wait for each other, none can go on: rank 0 on \S+ is in recv from rank 1 \(stall_test.go:\d+\), ` +
			`rank 1 on \S+ is in recv from rank 2 \(stall_test.go:\d+\), rank 2 on \S+ is in recv from rank 0 \(stall_test.go:\d+\)`,
	} {
		t.Run(name, func(t *testing.T) {
			out, status := runStall(t, name)
			assert.Regexp(t, want, out)
			assert.Equal(t, 1, status)
		})
	}
}

// Where it is not, a line on stderr says so after a while.
func TestRanksSeemToWaitForEachOther(t *testing.T) {
	bin := mpi.Ameexec(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "ameexec"), "-n", "3", os.Args[0])
	cmd.Env = append(mpi.Environ(), stallVariable+"=in work")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stderr)
	assert.True(t, lines.Scan())
	assert.Regexp(t, `^dlp: still waiting: all ranks wait, and nothing has happened for \d+s: rank 0 on \S+ is in recv from any rank on communicator \d+, `+
		`ranks 1-2 are in barrier \(stall_test.go:\d+\) on communicator \d+$`, lines.Text())
	cancel()
	io.Copy(io.Discard, stderr)
	assert.Error(t, cmd.Wait())
}

// A program that only looks like it is left alone.
func TestLateGoroutineIsWaitedFor(t *testing.T) {
	out, status := runStall(t, "a goroutine comes later")
	assert.Empty(t, out)
	assert.Zero(t, status)
}
