package ame

import (
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A job may be over before the goroutine that took a connection has run on: a
// link is not the reception's to close, only what is not one yet.
func TestStopLeavesLinksAlone(t *testing.T) {
	for name, isLink := range map[string]bool{"a link": true, "not yet": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewMemoryListener()
				goOn := make(chan struct{})
				r := &reception{
					listener: l, credentials: testCredentials(testConfig(0, 2)), log: slog.New(slog.DiscardHandler),
					opening: map[net.Conn]bool{},
					admit: func(conn net.Conn, _ *admission, taken func()) error {
						if isLink {
							taken()
						}
						assert.NoError(t, say(conn, verdictWelcome))
						<-goOn
						return nil
					},
				}
				go r.accept()
				conn, err := l.Dial(t.Context(), "")
				require.NoError(t, err)
				defer conn.Close()
				_, err = greetAs(conn, testConfig(1, 2))
				require.NoError(t, err)

				go r.stop()
				synctest.Wait()
				ended := make(chan error, 1)
				go func() {
					_, err := conn.Read(make([]byte, 1))
					ended <- err
				}()
				synctest.Wait()
				select {
				case err := <-ended:
					assert.Equal(t, io.EOF, err)
					assert.False(t, isLink)
				default:
					assert.True(t, isLink)
				}
				close(goOn)
				conn.Close()
			})
		})
	}
}

// silentGuests is a reception with connections that say nothing.
func silentGuests(t *testing.T, l net.Listener, dial func() net.Conn, n int) (r *reception, silent []net.Conn, rejected map[string]int) {
	rejected = map[string]int{}
	var mu sync.Mutex
	r = &reception{
		listener: l, credentials: testCredentials(testConfig(0, 2)), log: slog.New(slog.DiscardHandler), opening: map[net.Conn]bool{},
		admit: func(conn net.Conn, _ *admission, taken func()) error {
			taken()
			return say(conn, verdictWelcome)
		},
		reject: func(reason string) {
			mu.Lock()
			defer mu.Unlock()
			rejected[reason]++
		},
		stuck: func(_ error, lasts time.Duration) bool { return lasts < stuckAfter },
	}
	go r.accept()
	for range n {
		silent = append(silent, dial())
	}
	synctest.Wait()
	return r, silent, rejected
}

// However many connections say nothing, who has something to say gets in at
// once: the oldest make room.
func TestSilentConnectionsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewMemoryListener()
		dial := func() net.Conn {
			conn, err := l.Dial(t.Context(), "")
			require.NoError(t, err)
			return conn
		}
		const more = 100
		r, silent, rejected := silentGuests(t, l, dial, maxOpening+more)
		begin := time.Now()
		conn := dial()
		_, err := greetAs(conn, testConfig(1, 2))
		require.NoError(t, err)
		assert.Zero(t, time.Since(begin))
		for i, c := range silent {
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := c.Read(make([]byte, 1))
			assert.Equal(t, i <= more, err == io.EOF, "connection %d: %v", i, err)
			c.Close()
		}
		conn.Close()
		synctest.Wait()
		r.stop()
		assert.Equal(t, map[string]int{errDropped.Error(): more + 1, "it closed before its hello": maxOpening - 1}, rejected)
	})
}

// fullListener has no descriptors while more than a few connections are open.
type fullListener struct {
	*MemoryListener
	open atomic.Int32
	room int32
}

type countedConn struct {
	net.Conn
	close func()
}

func (c *countedConn) Close() error {
	c.close()
	return c.Conn.Close()
}

func (l *fullListener) Accept() (net.Conn, error) {
	if l.open.Load() >= l.room {
		return nil, syscall.EMFILE
	}
	conn, err := l.MemoryListener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &countedConn{conn, sync.OnceFunc(func() { l.open.Add(-1) })}, nil
}

// A listener without descriptors takes them back from those who say nothing; only
// where that does not help for long, it gives up.
func TestListenerWithoutDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fullListener{MemoryListener: NewMemoryListener(), room: 20}
		dial := func() net.Conn {
			conn, err := l.Dial(t.Context(), "")
			require.NoError(t, err)
			return conn
		}
		r, silent, rejected := silentGuests(t, l, dial, 200)
		begin := time.Now()
		conn := dial()
		_, err := greetAs(conn, testConfig(1, 2))
		require.NoError(t, err)
		assert.Less(t, time.Since(begin), time.Second)
		assert.Less(t, time.Since(begin), handshakeTimeout)
		for _, c := range silent {
			c.Close()
		}
		conn.Close()
		r.stop()
		assert.Greater(t, rejected[errDropped.Error()], 100)
	})
	synctest.Test(t, func(t *testing.T) {
		l := &fullListener{MemoryListener: NewMemoryListener()} // something else has them all
		defer l.Close()
		begin := time.Now()
		r := &reception{listener: l, stuck: func(_ error, lasts time.Duration) bool { return lasts < stuckAfter }}
		r.accept()
		assert.InDelta(t, stuckAfter.Seconds(), time.Since(begin).Seconds(), 1)
	})
}
