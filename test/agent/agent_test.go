package agent

import (
	"net"
	"os/user"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/need"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

// Commands run at the same time, and each has its own output and status; what one
// leaves behind is not waited for.
func TestAgent(t *testing.T) {
	who, err := user.Current()
	require.NoError(t, err)
	if who.Uid != "0" {
		need.Unable(t, "only root can run commands of a user")
	}
	near, far := net.Pipe()
	served := make(chan error)
	go func() { served <- Serve(far) }()
	c := NewClient(near)
	run := func(script string) (Result, error) {
		r, err := c.Run(Command{who.Username, []string{"sh", "-c", script}}, time.Minute)
		if err != nil {
			return Result{}, err
		}
		return *r, nil
	}
	var both sync.WaitGroup
	fifo := t.TempDir() + "/fifo"
	both.Go(func() {
		r, err := run("mkfifo " + fifo + "; echo out; echo err >&2; echo go >" + fifo + "; exit 3")
		assert.NoError(t, err)
		assert.Equal(t, Result{[]byte("out\n"), []byte("err\n"), 3}, r)
	})
	both.Go(func() {
		r, err := run("while ! test -p " + fifo + "; do sleep 0.01; done; cat " + fifo)
		assert.NoError(t, err)
		assert.Equal(t, Result{[]byte("go\n"), nil, 0}, r)
	})
	both.Wait()
	r, err := run("sleep 60 & echo $HOME; kill -9 $$")
	assert.NoError(t, err)
	assert.Equal(t, Result{[]byte(who.HomeDir + "\n"), nil, 137}, r)
	_, err = c.Run(Command{"nobody-of-that-name", []string{"true"}}, time.Minute)
	assert.ErrorContains(t, err, "unknown user")
	_, err = c.Run(Command{who.Username, []string{"/not/there"}}, time.Minute)
	assert.ErrorContains(t, err, "no such file")
	assert.NoError(t, c.Close())
	assert.NoError(t, <-served)
}
