package ame

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorder keeps what crosses the connections of a job.
type recorder struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

type recorded struct {
	net.Conn
	by *recorder
}

func (r recorded) Write(b []byte) (int, error) {
	r.by.mu.Lock()
	r.by.bytes.Write(b)
	r.by.mu.Unlock()
	return r.Conn.Write(b)
}

// Who listens on the way reads what ranks send each other, but for TLS.
func TestEavesdropper(t *testing.T) {
	for name, by := range map[string]transport{"plain": overPairs, "tls": overTLS} {
		t.Run(name, func(t *testing.T) {
			var all recorder
			comms := connectAll(t, func(tb testing.TB, size int) []Config {
				configs := by(tb, size)
				for i := range configs {
					configs[i].Dial = func(ctx context.Context, address string) (net.Conn, error) {
						conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
						return recorded{conn, &all}, err
					}
				}
				return configs
			}, 3)
			for _, from := range []int{1, 2} { // by way of rank 0, and by the link of the two
				require.NoError(t, comms[from].Send(t.Context(), 3-from, 1, text("in plain words")))
				_, err := comms[3-from].Recv(t.Context(), from, 1)
				require.NoError(t, err)
			}
			all.mu.Lock()
			defer all.mu.Unlock()
			assert.Equal(t, name == "plain", bytes.Contains(all.bytes.Bytes(), []byte("in plain words")))
		})
	}
}

// Ranks that differ in AME_TLS do not find each other, and both say why.
func TestEncryptionDiffers(t *testing.T) {
	for name, at := range map[string]int{"rank 0 alone": 0, "the other one alone": 1} {
		t.Run(name, func(t *testing.T) {
			configs := overTCP(t, 2)
			configs[at].TLS = true
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, errs := start(ctx, configs)
			for rank, err := range errs {
				require.ErrorIs(t, err, ErrTimeout, "rank %d", rank)
				assert.ErrorContains(t, err, "AME_TLS=1 is to be set for all ranks", "rank %d", rank)
			}
		})
	}
}

// Somebody in the middle who speaks TLS with both ends gets no proof that fits.
func TestManInTheMiddle(t *testing.T) {
	configs := overTLS(t, 2)
	e, err := newEncryption()
	require.NoError(t, err)
	middle, _, err := listenHere()
	require.NoError(t, err)
	defer middle.Close()
	var relays sync.WaitGroup
	defer relays.Wait()
	relays.Go(func() {
		for {
			victim, err := middle.Accept()
			if err != nil {
				return
			}
			relays.Go(func() {
				defer victim.Close()
				root, err := net.Dial("tcp", configs[0].Listener.Addr().String())
				if err != nil {
					return
				}
				defer root.Close()
				in, err := e.listen(victim)
				if err != nil {
					return
				}
				out, err := e.dial(root)
				if err != nil {
					return
				}
				relays.Go(func() { io.Copy(out, in); root.Close() })
				io.Copy(in, out)
			})
		}
	})
	configs[1].Root.Addresses = []string{middle.Addr().String()}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, errs := start(ctx, configs)
	for rank, err := range errs {
		assert.ErrorIs(t, err, ErrTimeout, "rank %d", rank)
	}
	assert.ErrorContains(t, errs[1], "wrong key")
	middle.Close()
}

// All that is promised of pairs, and of the loss of a rank, holds with TLS.
func TestEncryptedJob(t *testing.T) {
	comms := connectAll(t, overTLS, 4)
	noErrors(t, each(comms, func(c *Comm) error { return numbered(t.Context(), c, 100, rand.IntN) }))
	noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }))
	require.Eventually(t, func() bool { return comms[1].job.mesh.to(2) != nil }, time.Minute/2, time.Millisecond)
	_, encrypted := streamOf(comms[1].job.mesh.to(2)).conn.(*sealed)
	assert.True(t, encrypted, "links of pairs, too")
	kill(comms[3])
	for _, c := range comms[:3] {
		_, err := c.Recv(t.Context(), 3, 1)
		assert.ErrorIs(t, err, ErrLost)
	}
}

// A write that ctx ends breaks a link that is encrypted, and says so.
func TestEncryptedWriteThatIsCutOff(t *testing.T) {
	near, far := net.Pipe()
	e, err := newEncryption()
	require.NoError(t, err)
	other := make(chan net.Conn)
	go func() {
		conn, err := e.listen(far)
		assert.NoError(t, err)
		other <- conn
	}()
	conn, err := e.dial(near)
	require.NoError(t, err)
	defer conn.Close()
	defer (<-other).Close()
	l := newStream(0, 1, conn)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/10)
	defer cancel()
	h := header{kind: kindMessage, dest: 1, length: 5}
	err = l.write(ctx, h, []byte("stuck"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.NotErrorAs(t, err, &unsent{})
	assert.Error(t, l.write(t.Context(), h, []byte("after")))
}

// Connections that carry no TLS, or another one, leave no trace but a reason.
func TestStrangersOfTLS(t *testing.T) {
	e, err := newEncryption()
	require.NoError(t, err)
	for said, want := range map[string]string{
		openerWire:                             "it does not encrypt",
		"GET / HTTP/1.1\r\n\r\n":               "it does not encrypt",
		"\x16\x03\x01\xff\xff":                 "it does not encrypt",
		"\x16\x03\x01\x00\x04\x01\x00\x00\x00": "before TLS was up",
		"":                                     "before TLS was up",
	} {
		near, far := net.Pipe()
		go func() {
			io.Copy(far, strings.NewReader(said))
			far.SetReadDeadline(time.Now().Add(time.Second / 10))
			io.Copy(io.Discard, far)
			far.Close()
		}()
		_, err := e.listen(near)
		assert.ErrorIs(t, err, ErrAuth, "%q", said)
		assert.ErrorContains(t, err, want, "%q", said)
		near.Close()
	}
}
