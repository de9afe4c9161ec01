package ame

import (
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tcpPair returns the two ends of a connection.
func tcpPair(t *testing.T) (near, far net.Conn) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	near, err = net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	far, err = listener.Accept()
	require.NoError(t, err)
	return near, far
}

// ringPair returns the two ends of a way through memory beside a connection.
func ringPair(t *testing.T, size int) (a, b *ringConn) {
	near, far := tcpPair(t)
	aw, br := newRing(size)
	bw, ar := newRing(size)
	a = newRingConn(near, ar, aw, lookout{polls: 10, yield: runtime.Gosched}, func() {})
	b = newRingConn(far, br, bw, lookout{polls: 10, yield: runtime.Gosched}, func() {})
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// Both ends send and read at once, more than there is room for, with readers
// that look and readers that sleep.
func TestRingConnBothWays(t *testing.T) {
	for _, deadline := range []time.Time{{}, time.Now().Add(time.Hour)} {
		a, b := ringPair(t, 256)
		want := make([]byte, 100_000)
		for i := range want {
			want[i] = byte(rand.Uint32())
		}
		var wg sync.WaitGroup
		for _, c := range []*ringConn{a, b} {
			c.SetReadDeadline(deadline)
			wg.Go(func() {
				for rest := want; len(rest) > 0; {
					n := min(len(rest), 1+rand.IntN(1000))
					_, err := c.Write(rest[:n])
					assert.NoError(t, err)
					rest = rest[n:]
				}
			})
			wg.Go(func() {
				got := make([]byte, len(want))
				_, err := io.ReadFull(c, got)
				assert.NoError(t, err)
				assert.Equal(t, want, got)
			})
		}
		wg.Wait()
	}
}

// What was written before the end is read, and then comes the end.
func TestRingConnEnds(t *testing.T) {
	for name, end := range map[string]func(c *ringConn){
		"close":      func(c *ringConn) { c.Close() },
		"half close": func(c *ringConn) { c.Conn.(*net.TCPConn).CloseWrite() },
		"died":       func(c *ringConn) { c.Conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := ringPair(t, 256)
			_, err := a.Write([]byte("last words"))
			require.NoError(t, err)
			end(a)
			got, err := io.ReadAll(b)
			assert.NoError(t, err)
			assert.Equal(t, "last words", string(got))
		})
	}
}

// A reader that sleeps, or looks, and a writer without room are ended by Close
// and by a deadline that is set meanwhile.
func TestRingConnIsInterrupted(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(c *ringConn)
		want error
	}{
		"close":    {func(c *ringConn) { c.Close() }, net.ErrClosed},
		"deadline": {func(c *ringConn) { c.SetDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := ringPair(t, 256)
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := a.Read(make([]byte, 1))
				assert.ErrorIs(t, err, test.want)
			})
			wg.Go(func() {
				n, err := a.Write(make([]byte, 1000))
				assert.ErrorIs(t, err, test.want)
				assert.Equal(t, 256, n)
			})
			require.Eventually(t, func() bool { return a.asleep.Load() && a.out.tail.Load() == 256 }, 10*time.Second, time.Millisecond)
			test.end(a)
			wg.Wait()
		})
	}
}

// A call reads until its deadline, and later again.
func TestRingConnDeadlinePasses(t *testing.T) {
	a, b := ringPair(t, 256)
	for _, wait := range []time.Duration{-time.Second, 0, time.Microsecond, 5 * time.Millisecond} {
		b.SetReadDeadline(time.Now().Add(wait))
		_, err := b.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded, "%v", wait)
	}
	b.SetReadDeadline(time.Time{})
	a.Write([]byte("x"))
	n, err := b.Read(make([]byte, 10))
	assert.NoError(t, err)
	assert.Equal(t, 1, n)
}

// A writer that finds no room for long asks for somebody to read at its end.
func TestRingConnRecalls(t *testing.T) {
	a, b := ringPair(t, 256)
	recalled := make(chan struct{})
	a.recall = sync.OnceFunc(func() { close(recalled) })
	go a.Write(make([]byte, 1000))
	<-recalled
	_, err := io.ReadFull(b, make([]byte, 1000))
	assert.NoError(t, err)
}
