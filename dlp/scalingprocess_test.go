package dlp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scalingVariable makes the test binary a rank of TestScalingOfProcesses: it holds
// the rank and the address of rank 0.
const scalingVariable = "DLP_SCALING_RANK"

const scalingProcesses = 8

// scalingProgram is what the ranks do there. All of its messages are to rank 0 and
// from it, so they do not depend on when connections are made.
func scalingProgram(ctx context.Context, c *Comm) error {
	var errs []error
	for _, length := range []int{0, 1 << 10, 1 << 20} {
		_, err := Gather(ctx, c, make([]byte, length))
		errs = append(errs, c.Barrier(ctx), BcastInto(ctx, c, make([]byte, length)), err)
	}
	_, err := Scatter(ctx, c, make([]int, c.Size()))
	return errors.Join(append(errs, err, c.Barrier(ctx))...)
}

// scalingRank is a rank that is a process.
func scalingRank(text string) error {
	var rank int
	var address string
	if _, err := fmt.Sscan(text, &rank, &address); err != nil {
		return err
	}
	cfg := scalingConfig(rank, scalingProcesses)
	cfg.Root.Addresses = []string{address}
	c, err := scalingComm(context.Background(), cfg)
	if err != nil {
		return err
	}
	return errors.Join(scalingProgram(context.Background(), c), c.Close())
}

// countingListener counts what is written to its connections.
type countingListener struct {
	net.Listener
	writes, bytes atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countingConn{conn, l}, err
}

type countingConn struct {
	net.Conn
	by *countingListener
}

func (c countingConn) Write(b []byte) (int, error) {
	c.by.writes.Add(1)
	c.by.bytes.Add(int64(len(b)))
	return c.Conn.Write(b)
}

// Rank 0 sends as many messages and bytes as in the model when the ranks are
// processes that are connected by TCP, from the start to Close: there it says bye
// to those that have not.
func TestScalingOfProcesses(t *testing.T) {
	l := &countingListener{Listener: listen(t)}
	var others []*exec.Cmd
	for rank := 1; rank < scalingProcesses; rank++ {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %v", scalingVariable, rank, l.Addr()))
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		others = append(others, cmd)
	}
	cfg := scalingConfig(0, scalingProcesses)
	cfg.Listener = l
	c, err := scalingComm(t.Context(), cfg)
	require.NoError(t, err)
	assert.NoError(t, scalingProgram(t.Context(), c))
	writes, bytes := l.writes.Load(), l.bytes.Load()
	assert.NoError(t, c.Close())
	for _, cmd := range others {
		assert.NoError(t, cmd.Wait())
	}

	synctest.Test(t, func(t *testing.T) {
		m := newModelJob(scalingProcesses)
		m.run(t, func(ctx context.Context, c *Comm) error {
			err := scalingProgram(ctx, c)
			if c.IsRoot() {
				m.steps = append(m.steps, m.sinceNote("program"))
			}
			return err
		})
		for _, s := range m.steps {
			writes -= s.writes
			bytes -= s.out
		}
		assert.Zero(t, writes)
		assert.Zero(t, bytes)
	})
}
