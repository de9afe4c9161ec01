//go:build unix

package dlp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dlp-mpi/dlp-go/test/mpi"
)

// stoppedProgram has a rank that stops itself, and is ended when it is missed.
func stoppedProgram(ctx context.Context, world *Comm) error {
	const victim = 2
	if world.Rank() == victim {
		err := syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		<-ctx.Done() // other threads stop first, and this one must not say bye
		return err
	}
	err := world.Barrier(ctx)
	if !errors.Is(err, ErrLost) {
		return err
	}
	rest, err := world.Shrink(ctx)
	if err != nil {
		return err
	}
	if rest.IsRoot() {
		fmt.Println("missed")
		if err := syscall.Kill(world.Info().Peers[victim].PID, syscall.SIGKILL); err != nil {
			return err
		}
	}
	return rest.Barrier(ctx)
}

// AME_HEARTBEAT is what counts in a program, and a bad one ends it.
func TestHeartbeatOfAProgram(t *testing.T) {
	bin := mpi.Ameexec(t)
	run := func(heartbeat string) (string, int) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ameexec"), "--continue", "-n", "4", os.Args[0])
		cmd.Env = append(mpi.Environ(), mainVariable+"=stopped", "AME_HEARTBEAT="+heartbeat)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	out, status := run("1s")
	assert.Contains(t, out, "missed")
	assert.Equal(t, 128+int(syscall.SIGKILL), status, out)
	out, status = run("soon")
	assert.Contains(t, out, `AME_HEARTBEAT="soon" is neither a duration`)
	assert.Equal(t, 1, status)
}
