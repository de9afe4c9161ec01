//go:build integration

package integration

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/agent"
	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// result is what a command on a machine of the cluster did.
type result struct {
	stdout, stderr string
	status         int // 124 if it ran out of time
	elapsed        time.Duration
}

// String shows everything, for the message of a failed test.
func (r result) String() string {
	return fmt.Sprintf("status %d after %.1f s\nstdout: %s\nstderr: %s", r.status, r.elapsed.Seconds(), r.stdout, r.stderr)
}

// run runs a shell script as the plain user of a machine and waits for it. After
// limit the script and its children are killed.
func (c *cluster) run(t testing.TB, machine string, limit time.Duration, script string) result {
	return c.exec(t, machine, "user", limit, script)
}

// root runs a shell script as root, to break the machine or to mend it.
func (c *cluster) root(t testing.TB, machine, script string) {
	r := c.exec(t, machine, "root", time.Minute, script)
	require.Zero(t, r.status, "on %s as root: %s\n%v", machine, script, r)
}

func (c *cluster) exec(t testing.TB, machine, user string, limit time.Duration, script string) result {
	t.Helper()
	deadline.Extend(t, limit+time.Minute)
	began := time.Now()
	// timeout(1) inside the container does the work: nothing else ends what the
	// script has started.
	r, err := c.agents[machine].run(agent.Command{User: user, Args: []string{
		"timeout", "-k", "5", fmt.Sprint(limit.Seconds()), "bash", "-c", script,
	}}, limit+30*time.Second)
	require.NoError(t, err, "on %s", machine)
	return result{string(r.Stdout), string(r.Stderr), r.Status, time.Since(began)}
}

// machineAgent runs commands in a container. It is started when it is first needed.
type machineAgent struct {
	docker, container string

	mu     sync.Mutex
	client *agent.Client // nil: not started
}

func (a *machineAgent) run(command agent.Command, limit time.Duration) (*agent.Result, error) {
	client, err := a.started()
	if err != nil {
		return nil, err
	}
	return client.Run(command, limit)
}

func (a *machineAgent) started() (*agent.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client != nil {
		return a.client, nil
	}
	cmd := exec.Command(a.docker, "exec", "-i", "-u", "root", a.container, "/opt/dlp/agent")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	a.client = agent.NewClient(&throughDocker{out, in, cmd})
	return a.client, nil
}

// throughDocker is the connection to an agent.
type throughDocker struct {
	io.Reader
	io.WriteCloser
	cmd *exec.Cmd
}

func (c *throughDocker) Close() error {
	return errors.Join(c.WriteCloser.Close(), c.cmd.Wait())
}

func (a *machineAgent) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client != nil {
		_ = a.client.Close() // the machine goes, whatever it says
	}
}
