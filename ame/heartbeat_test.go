package ame

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withHeartbeat lets rank 0 of a job ask for heartbeats.
func withHeartbeat(by transport, limit time.Duration) transport {
	return func(tb testing.TB, size int) []Config {
		configs := by(tb, size)
		configs[0].Heartbeat = limit
		return configs
	}
}

// Ranks that have nothing to say to each other for long stay in the job.
func TestIdleJobLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, withHeartbeat(overMemory, 10*time.Second), 4)
		time.Sleep(time.Hour)
		noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }))
	})
}

// A rank that says nothing is lost after the heartbeat, whatever it had sent
// before, and is told so.
func TestSilentRankIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 * time.Second
		comms, raw := withRaw(t, peerOn("raw", 4711), limit)
		defer raw.Close()
		told := make(chan string, 1)
		go func() {
			l := newStream(2, 0, raw)
			for {
				h, body, err := l.read()
				if err != nil || h.kind == kindLost && h.source == 2 {
					told <- string(body)
					return
				}
			}
		}()
		for range 20 { // any byte is a sign of life
			time.Sleep(limit / 2)
			raw.Write([]byte{version})
			raw.Write((&header{kind: kindHeartbeat, source: 2}).appendTo(nil)[1:])
		}
		begin := time.Now()
		for rank, err := range each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }) {
			assert.ErrorIs(t, err, ErrLost, "rank %d", rank)
			assert.ErrorContains(t, err, "rank 2 on raw: lost: no sign of life for 10s (pid 4711): stopped, cut off, or its node is gone", "rank %d", rank)
		}
		assert.GreaterOrEqual(t, time.Since(begin), limit)
		assert.LessOrEqual(t, time.Since(begin), limit+2*limit/looks)
		assert.Equal(t, "no sign of life for 10s (pid 4711): stopped, cut off, or its node is gone", <-told)
	})
}

// Of a thousand ranks that say nothing to each other for minutes none is lost, and
// of them all just the one that falls silent, within the heartbeat.
func TestOneOfAThousandIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, limit = 1000, 10 * time.Second
		comms, raw := withRawLast(t, size, peerOn("raw", 4711), limit)
		defer raw.Close()
		go io.Copy(io.Discard, raw)
		for begin := time.Now(); time.Since(begin) < 3*time.Minute; {
			time.Sleep(limit / 3)
			writeFrame(raw, header{kind: kindHeartbeat, source: size - 1}, "")
		}
		for _, c := range comms {
			require.Empty(t, c.Lost(), "rank %d", c.Rank())
		}
		begin := time.Now()
		for rank, err := range each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }) {
			require.ErrorIs(t, err, ErrLost, "rank %d", rank)
			require.ErrorContains(t, err, "rank 999 on raw: lost: no sign of life for 10s", "rank %d", rank)
		}
		assert.GreaterOrEqual(t, time.Since(begin), limit)
		assert.LessOrEqual(t, time.Since(begin), limit+2*limit/looks)
		for _, c := range comms {
			require.Equal(t, []int{size - 1}, c.Lost(), "rank %d", c.Rank())
		}
	})
}

// A rank that takes nothing for long is not lost for it as long as it shows signs
// of life. It hears later of those that are.
func TestSlowRankHearsOfALossLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 * time.Second
		comms, raw := withRaw(t, peerOn("raw", 1), limit)
		defer raw.Close()
		end := make(chan struct{})
		defer close(end)
		go func() {
			for {
				select {
				case <-time.After(limit / 4):
					writeFrame(raw, header{kind: kindHeartbeat, source: 2}, "")
				case <-end:
					return
				}
			}
		}()
		kill(comms[1])
		assert.ErrorContains(t, comms[0].Barrier(t.Context()), "rank 1 on nodeb: lost: ")
		time.Sleep(time.Minute)
		assert.Nil(t, comms[0].job.mesh.gone(2))
		l := newStream(2, 0, raw)
		for {
			h, _, err := l.read()
			require.NoError(t, err)
			if h.kind == kindLost {
				assert.EqualValues(t, 1, h.source)
				return
			}
		}
	})
}

// silentProxy forwards connections to rank 0 until it goes silent: then it takes
// and gives nothing more, and closes nothing, as a cut cable does.
type silentProxy struct {
	cut    atomic.Bool
	closed chan struct{}
}

// between puts the proxy between rank 0 and one other rank.
func (p *silentProxy) between(t *testing.T, cfg *Config) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.closed = make(chan struct{})
	t.Cleanup(func() { close(p.closed) })
	to := cfg.Root.Addresses[0]
	cfg.Root.Addresses = []string{l.Addr().String()}
	go func() {
		defer l.Close()
		near, err := l.Accept()
		if !assert.NoError(t, err) {
			return
		}
		far, err := net.Dial("tcp", to)
		if !assert.NoError(t, err) {
			return
		}
		go p.forward(near, far)
		p.forward(far, near)
	}()
}

func (p *silentProxy) forward(to io.Writer, from io.ReadCloser) {
	defer from.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if p.cut.Load() {
			<-p.closed
			return
		}
		if err != nil {
			return
		}
		to.Write(b[:n])
	}
}

// A cut network is noticed on both sides, also when full buffers wait for it.
func TestCutLink(t *testing.T) {
	for _, bulk := range []bool{false, true} {
		var p silentProxy
		comms := connectAll(t, func(tb testing.TB, size int) []Config {
			configs := withHeartbeat(overTCP, time.Second)(tb, size)
			p.between(t, &configs[2])
			return configs
		}, 3)
		if bulk {
			m := Payload{Body: make([]byte, 8<<20)}
			for _, way := range [][2]int{{0, 2}, {2, 0}, {1, 2}, {2, 1}} {
				go func() {
					for comms[way[0]].Send(t.Context(), way[1], 1, m) == nil {
					}
				}()
				go func() {
					for {
						if _, err := comms[way[1]].Recv(t.Context(), way[0], 1); err != nil {
							return
						}
					}
				}()
			}
			for range 3 {
				require.NoError(t, comms[0].Send(t.Context(), 2, 2, m))
			}
		}
		p.cut.Store(true)
		errs := each(comms, func(c *Comm) error { _, err := c.Recv(t.Context(), c.Rank(), 7); return err })
		for rank, want := range []string{"rank 2 on nodec: lost: no sign of life for 1s", "rank 2 on nodec: lost: no sign of life for 1s", "rank 0 on nodea: lost: no sign of life for 1s"} {
			assert.ErrorIs(t, errs[rank], ErrLost)
			assert.ErrorContains(t, errs[rank], want)
		}
		assert.Nil(t, comms[0].job.failure(), "the others go on")
		assert.Nil(t, comms[1].job.failure())
	}
}

func TestHeartbeatRecord(t *testing.T) {
	wire := "\x03\x00\x08\x00\x00\x00\x02\x54\x0b\xe4\x00"
	assert.Equal(t, wire, string(appendHeartbeat(nil, 10*time.Second)))
	assert.Equal(t, 10*time.Second, parseHeartbeat([]byte("\x07\x00\x01x"+wire)))
	assert.Zero(t, parseHeartbeat([]byte("\x03\x00\x01x")))
	assert.Zero(t, parseHeartbeat(nil))
}
