package simnet

import (
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

const us = time.Microsecond

var slow = Model{Call: us, Copy: 1e9, Latency: 100 * us, Rate: 1e8, Within: 10 * us}

// pair is a connection of two processes, on nodes 0 and node.
func pair(t *testing.T, n *Network, from *Process, node int) (near, far net.Conn) {
	t.Helper()
	l := n.Process(node).Listen()
	defer l.Close()
	accepted := make(chan net.Conn)
	go func() {
		conn, _ := l.Accept()
		accepted <- conn
	}()
	near, err := from.Dial(t.Context(), l.Addr().String())
	require.NoError(t, err)
	return near, <-accepted
}

// A message takes a call and its copy at both ends, the ports, and the latency.
func TestTimeOfAMessage(t *testing.T) {
	for name, test := range map[string]struct {
		node, bytes int
		took        time.Duration
	}{
		"to another node": {1, 1000, (1 + 1 + 10 + 100 + 1 + 1) * us},
		"in one node":     {0, 1000, (1 + 1 + 10 + 1 + 1) * us},
		"long":            {1, 1_000_000, (1 + 1000 + 10_000 + 100 + 1 + 1000) * us},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := New(slow)
				p := n.Process(0)
				near, far := pair(t, n, p, test.node)
				began := time.Now()
				go near.Write(make([]byte, test.bytes))
				_, err := io.ReadFull(far, make([]byte, test.bytes))
				require.NoError(t, err)
				assert.Equal(t, test.took, time.Since(began).Round(us))
				assert.Equal(t, []int64{1, int64(test.bytes), 0}, []int64{p.Writes.Load(), p.Out.Load(), p.In.Load()})
			})
		})
	}
}

// What leaves a node at the same time takes its port one behind the other, and so
// does what a process writes its processor.
func TestPortsAndProcessorsAreShared(t *testing.T) {
	for name, test := range map[string]struct {
		node int
		took time.Duration
	}{
		"a port":      {1, (1 + 100 + 3*1000 + 100 + 1 + 100) * us}, // which 100,000 bytes take for 1 ms
		"a processor": {0, (2*(1+100) + 10 + 1 + 100) * us},         // for two of the three
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const bytes = 100_000
				n := New(slow)
				p, q := n.Process(0), n.Process(0)
				var near, far []net.Conn
				for _, from := range []*Process{p, p, q} {
					a, b := pair(t, n, from, test.node)
					near, far = append(near, a), append(far, b)
				}
				began := time.Now()
				for _, conn := range near {
					go conn.Write(make([]byte, bytes))
				}
				var readers sync.WaitGroup
				for _, conn := range far {
					readers.Go(func() {
						_, err := io.ReadFull(conn, make([]byte, bytes))
						assert.NoError(t, err)
					})
				}
				readers.Wait()
				assert.Equal(t, test.took, time.Since(began).Round(us))
			})
		})
	}
}

// Deadlines and Close end a Read and a Write that wait; what was written before
// Close arrives, and then the end.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(slow)
		near, far := pair(t, n, n.Process(0), 1)
		began := time.Now()
		near.SetReadDeadline(began.Add(time.Second))
		_, err := near.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began))
		near.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			near.SetReadDeadline(time.Now())
		}()
		_, err = near.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)

		near.SetWriteDeadline(time.Now().Add(time.Hour))
		_, err = near.Write(make([]byte, Buffer+1)) // which nobody reads
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.NoError(t, near.Close())
		_, err = near.Write([]byte{1})
		assert.ErrorIs(t, err, net.ErrClosed)
		all, err := io.ReadAll(far)
		assert.NoError(t, err)
		assert.Len(t, all, Buffer)
		_, err = far.Write([]byte{1})
		assert.Error(t, err)
		assert.NoError(t, far.Close())
	})
}

// Nobody listens there, or no more.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(slow)
		l := n.Process(1).Listen()
		require.NoError(t, l.Close())
		for _, address := range []string{l.Addr().String(), "nowhere:1"} {
			_, err := n.Process(0).Dial(t.Context(), address)
			assert.ErrorContains(t, err, "connection refused")
		}
		_, err := l.Accept()
		assert.ErrorIs(t, err, net.ErrClosed)
	})
}
