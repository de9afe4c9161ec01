//go:build integration

package integration

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	// timeout(1) inside the container does the work: killing the docker
	// client leaves the command running.
	ctx, cancel := context.WithTimeout(context.Background(), limit+30*time.Second)
	defer cancel()
	home := "/home/" + user
	if user == "root" {
		home = "/root"
	}
	cmd := exec.CommandContext(ctx, c.docker, "exec", "-u", user, "-w", home, "-e", "HOME="+home, "-e", "USER="+user, c.containers[machine],
		"timeout", "-k", "5", fmt.Sprint(limit.Seconds()), "bash", "-c", script)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError // the script's own status
		require.ErrorAs(t, err, &exit, "docker exec on %s", machine)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(began)}
}
