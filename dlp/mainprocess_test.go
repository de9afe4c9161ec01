package dlp

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A signal that the program was started to ignore, as by nohup, stays so.
func TestIgnoredSignalsAreNotCaught(t *testing.T) {
	signal.Ignore(syscall.SIGUSR1)
	defer signal.Reset(syscall.SIGUSR1)
	signals := catchSignals()
	defer signal.Stop(signals)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM} {
		require.NoError(t, syscall.Kill(os.Getpid(), s))
	}
	assert.Equal(t, os.Signal(syscall.SIGTERM), <-signals)
}

// mainVariable makes the test binary a program that is run by Main.
const mainVariable = "DLP_TEST_MAIN"

func mainProgram(name string) {
	Main(func(ctx context.Context, world *Comm) error {
		switch name {
		case "messages":
			return checkMessages(ctx, world)
		case "error":
			return errOdd
		case "panic":
			panic("boom")
		case "stopped":
			return stoppedProgram(ctx, world)
		case "after":
			return nil
		}
		fmt.Println("ready")
		<-world.Stopping()
		fmt.Println("stopping")
		<-ctx.Done()
		return ctx.Err()
	})
	if name == "messages" || name == "stopped" {
		return
	}
	fmt.Println("returned")
	syscall.Kill(os.Getpid(), syscall.SIGTERM) // acts as ever
	<-time.After(time.Minute)
}

func TestMainAsAProcess(t *testing.T) {
	command := func(name string) (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), mainVariable+"="+name, "GORACE=atexit_sleep_ms=0")
		stderr := new(bytes.Buffer)
		cmd.Stderr = stderr
		return cmd, stderr
	}
	for name, want := range map[string]struct {
		status         int
		stdout, stderr string
	}{
		"error": {1, "", `: odd one out\n$`},
		"panic": {2, "", `panic: boom`},
		"after": {-1, "returned\n", `^$`},
	} {
		cmd, stderr := command(name)
		stdout, _ := cmd.Output()
		assert.Equal(t, want.status, cmd.ProcessState.ExitCode(), name)
		assert.Equal(t, want.stdout, string(stdout), name)
		assert.Regexp(t, want.stderr, stderr.String(), name)
	}

	cmd, stderr := command("wait")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line := make([]byte, 100)
	for _, want := range []string{"ready\n", "stopping\n"} {
		n, err := out.Read(line)
		require.NoError(t, err)
		assert.Equal(t, want, string(line[:n]))
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	}
	assert.Error(t, cmd.Wait())
	assert.Equal(t, 143, cmd.ProcessState.ExitCode())
	assert.Contains(t, stderr.String(), "got a signal (terminated)")
}

// A signal during the start ends it.
func TestSignalDuringTheStart(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGINT
	var stderr bytes.Buffer
	p := mainRank{name: "prog", stderr: &stderr, signals: signals, grace: time.Hour}
	status := p.run(func(ctx context.Context) (*Comm, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, nil)
	assert.Equal(t, 130, status)
	assert.Equal(t, "prog: got a signal (interrupt): context canceled\n", stderr.String())
}
