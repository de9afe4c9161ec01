package ame

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// flaky is a connection that takes so many bytes, loses as many more although it
// says that it has taken them, and then ends, or nothing crosses it any more.
type flaky struct {
	net.Conn
	good, lost atomic.Int64
	stalls     bool
}

func (f *flaky) Write(b []byte) (int, error) {
	if n := f.good.Add(-int64(len(b))); n >= 0 {
		return f.Conn.Write(b)
	} else if kept := n + int64(len(b)); kept > 0 {
		if n, err := f.Conn.Write(b[:kept]); err != nil {
			return n, err
		}
	}
	if f.lost.Add(-int64(len(b))) < 0 && !f.stalls {
		f.Conn.Close()
		return 0, errors.New("cut off")
	}
	return len(b), nil
}

// flakies are the ends of links, as they come.
type flakies struct {
	mu     sync.Mutex
	all    []*flaky
	stalls bool
}

// add is for overFlakyPairs: it takes whatever comes, for now.
func (fs *flakies) add(conn net.Conn) net.Conn {
	f := &flaky{Conn: conn, stalls: fs.stalls}
	f.good.Store(1 << 30)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.all = append(fs.all, f)
	return f
}

// lose makes all links lose so many bytes, and then end.
func (fs *flakies) lose(bytes int64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.all {
		f.lost.Store(bytes)
		f.good.Store(0)
	}
}

// overFlakyPairs is overPairPipes whose ranks lose the links that they make, and
// the other ends too if both is set, see flaky.
func overFlakyPairs(wrap func(conn net.Conn) net.Conn) transport {
	return func(tb testing.TB, size int) []Config {
		configs := overPairPipes(tb, size)
		for rank := range configs {
			dial := configs[rank].Dial
			configs[rank].Dial = func(ctx context.Context, address string) (net.Conn, error) {
				conn, err := dial(ctx, address)
				if err == nil && strings.HasPrefix(address, "rank") {
					conn = wrap(conn)
				}
				return conn, err
			}
			if listen := configs[rank].Listen; listen != nil {
				configs[rank].Listen = func() (net.Listener, []string, error) {
					l, addresses, err := listen()
					return wrappingListener{l, wrap}, addresses, err
				}
			}
		}
		return configs
	}
}

type wrappingListener struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l wrappingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		conn = l.wrap(conn)
	}
	return conn, err
}

// numberEvery is after how many bytes of a body its number stands again.
const numberEvery = 512

// numbered sends n messages of mixed lengths to each other rank, and receives as
// many of each, whole and in order.
func numbered(ctx context.Context, c *Comm, n int, random func(n int) int) error {
	errs := make([]error, 2*c.Size())
	var all sync.WaitGroup
	for other := range c.Size() {
		lengths := make([]int, n)
		for i := range lengths {
			lengths[i] = 8 + random(3000)
			if random(n) == 0 {
				lengths[i] = 2*chunk + random(chunk)
			}
		}
		all.Go(func() {
			for i, length := range lengths {
				body := make([]byte, length)
				for at := 0; at+8 <= length; at += numberEvery {
					binary.BigEndian.PutUint64(body[at:], uint64(i))
				}
				errs[2*other] = errors.Join(errs[2*other], c.Send(ctx, other, 1, Payload{Body: body}))
			}
		})
		all.Go(func() {
			for i := range n {
				m, err := c.Recv(ctx, other, 1)
				if err != nil {
					errs[2*other+1] = err
					return
				}
				for at := 0; at+8 <= len(m.Body); at += numberEvery {
					if got := binary.BigEndian.Uint64(m.Body[at:]); got != uint64(i) {
						errs[2*other+1] = fmt.Errorf("rank %d: message %d of rank %d has %d at %d of %d", c.Rank(), i, other, got, at, len(m.Body))
						return
					}
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// Wherever the link of a pair ends, and whatever that has swallowed before, all
// messages arrive, whole and in order.
func TestPairsBreakAnywhere(t *testing.T) {
	broken := 0
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				var mu sync.Mutex
				between := func(n int) int {
					mu.Lock()
					defer mu.Unlock()
					return random.IntN(n)
				}
				var log logBuffer
				wrap := func(conn net.Conn) net.Conn {
					f := &flaky{Conn: conn, stalls: between(8) == 0}
					f.good.Store(int64(200 + between(1<<(8+between(15)))))
					f.lost.Store(int64(between(300 << 10)))
					return f
				}
				comms := connectAll(t, func(tb testing.TB, size int) []Config {
					configs := overFlakyPairs(wrap)(tb, size)
					configs[0].Heartbeat = 10 * time.Second
					for rank := range configs {
						configs[rank].Logger = log.logger()
					}
					return configs
				}, 4)
				noErrors(t, each(comms, func(c *Comm) error {
					if err := numbered(t.Context(), c, 60, between); err != nil {
						return err
					}
					return c.Barrier(t.Context())
				}))
				noErrors(t, each(comms, (*Comm).Close))
				broken += strings.Count(log.String(), "its own link has ended")
			})
		})
	}
	assert.Greater(t, broken, 10)
}

// Over TCP, a link that is reset takes what lies in the system with it.
func TestPairsOfTCPAreReset(t *testing.T) {
	comms := connectAll(t, overPairs, 3)
	noErrors(t, each(comms, func(c *Comm) error { return numbered(t.Context(), c, 20, rand.IntN) }))
	require.Eventually(t, func() bool { return comms[1].job.mesh.to(2) != nil && comms[2].job.mesh.to(1) != nil },
		time.Minute/2, time.Millisecond)
	done := make(chan struct{})
	var resetting sync.WaitGroup
	resetting.Go(func() {
		for n := 0; ; n++ {
			if p, ok := comms[1].job.mesh.to(2).(*pairLink); ok && p.got.Load() > 20 {
				p.conn.(*net.TCPConn).SetLinger(0)
				p.conn.Close()
				return
			}
			select {
			case <-done:
				return
			case <-time.After(100 * time.Microsecond):
			}
		}
	})
	noErrors(t, each(comms, func(c *Comm) error { return numbered(t.Context(), c, 400, rand.IntN) }))
	close(done)
	resetting.Wait()
	assert.Eventually(t, func() bool { return comms[1].job.mesh.to(2) == nil }, time.Minute/2, time.Millisecond, "it has been reset")
	noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }))
}

// A link of a pair that breaks is no loss: the two go on by way of rank 0, and
// the log of each says so once.
func TestPairBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := make([]logBuffer, 3)
		comms := pair(t, func(configs []Config) {
			for rank := range configs {
				configs[rank].Logger = logs[rank].logger()
			}
		})
		comms[1].job.mesh.to(2).close()
		for i := range 3 {
			for from := 1; from <= 2; from++ {
				require.NoError(t, comms[from].Send(t.Context(), 3-from, i, text("m")))
				_, err := comms[3-from].Recv(t.Context(), from, i)
				require.NoError(t, err)
			}
		}
		time.Sleep(time.Hour)
		for rank := 1; rank <= 2; rank++ {
			assert.Nil(t, comms[rank].job.mesh.to(3-rank), "it is not made again")
			assert.Equal(t, 1, strings.Count(logs[rank].String(), "its own link has ended"), logs[rank].String())
		}
	})
}

// What a rank has sent before it closes arrives, although the link breaks with
// it, and although the other rank has no reason to look at the link.
func TestPairBreaksBeforeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var links flakies
		comms := connectAll(t, overFlakyPairs(links.add), 3)
		require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("opens it")))
		time.Sleep(time.Second)
		links.lose(200)
		for range 5 {
			require.NoError(t, comms[1].Send(t.Context(), 2, 2, text("swallowed, or not")))
		}
		closing := make(chan error)
		go func() { closing <- comms[1].Close() }()
		for range 5 {
			_, err := comms[2].Recv(t.Context(), 1, 2)
			require.NoError(t, err)
		}
		_, err := comms[2].Recv(t.Context(), 1, 2)
		assert.ErrorIs(t, err, ErrLeft)
		go comms[0].Close()
		go comms[2].Close()
		assert.NoError(t, <-closing)
	})
}

// A rank that hears nothing of another one takes its link for broken. Whether the
// rank is lost, rank 0 says.
func TestPairFallsSilent(t *testing.T) {
	const limit = 10 * time.Second
	for _, dies := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			links := flakies{stalls: true}
			comms := connectAll(t, func(tb testing.TB, size int) []Config {
				configs := overFlakyPairs(links.add)(tb, size)
				configs[0].Heartbeat = limit
				return configs
			}, 3)
			require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("opens it")))
			time.Sleep(time.Minute) // in which nobody is missed
			links.lose(0)
			begin := time.Now()
			if dies {
				kill(comms[2])
				_, err := comms[1].Recv(t.Context(), 2, 2)
				assert.ErrorIs(t, err, ErrLost)
				assert.Nil(t, comms[1].job.failure(), "it is no failure of the job")
				return
			}
			require.NoError(t, comms[2].Send(t.Context(), 1, 2, text("swallowed")))
			_, err := comms[1].Recv(t.Context(), 2, 2)
			assert.NoError(t, err)
			assert.LessOrEqual(t, time.Since(begin), 2*limit)
		})
	}
}

// A writer keeps no more than the bound, and one frame, of what the other end has
// not said to have.
func TestKeptIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		links := flakies{stalls: true}
		comms := connectAll(t, overFlakyPairs(links.add), 3)
		require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("opens it")))
		time.Sleep(time.Second)
		p := comms[1].job.mesh.to(2).(*pairLink)
		links.lose(0)
		const messages = 100
		sent := make(chan error)
		go func() {
			for range messages {
				if err := comms[1].Send(t.Context(), 2, 1, Payload{Body: make([]byte, lentBody-1)}); err != nil {
					sent <- err
				}
			}
			sent <- nil
		}()
		time.Sleep(time.Minute)
		p.mu.Lock()
		held := p.kept.copied
		p.mu.Unlock()
		assert.GreaterOrEqual(t, held, keptBound)
		assert.Less(t, held, keptBound+lentBody+frameCost)
		p.breaks("test")
		assert.NoError(t, <-sent)
		for range messages + 1 {
			_, err := comms[2].Recv(t.Context(), 1, 1)
			assert.NoError(t, err)
		}
	})
}

// Whoever waits until less is kept goes on when the link has gone over to memory,
// where nothing is kept, and when the other end closes, which then says no more.
func TestFullLinkGoesOn(t *testing.T) {
	full := func(t *testing.T) (other *Comm, p *pairLink, entered chan error) {
		comms := pair(t, func([]Config) {})
		p, entered = comms[1].job.mesh.to(2).(*pairLink), make(chan error, 1)
		p.mu.Lock()
		p.kept.copied = keptBound
		p.mu.Unlock()
		go func() { entered <- p.enter(context.Background()) }()
		synctest.Wait()
		require.Empty(t, entered)
		return comms[2], p, entered
	}
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, p, entered := full(t)
			p.memory.Store(new(ringConn))
			require.NoError(t, p.has(1))
			require.NoError(t, <-entered)
			p.memory.Store(nil)
			<-p.order
		})
	})
	t.Run("close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			other, p, entered := full(t)
			other.Close()
			require.ErrorContains(t, <-entered, "closed the link")
			assert.Empty(t, p.order)
		})
	})
}

// Once the other end has everything, and the link is idle, nothing is kept.
func TestNothingIsKeptWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := pair(t, func(configs []Config) { configs[0].Heartbeat = 10 * time.Second })
		for range 30 {
			require.NoError(t, comms[1].Send(t.Context(), 2, 3, Payload{Body: make([]byte, 100<<10)}))
		}
		time.Sleep(time.Minute)
		p := comms[1].job.mesh.to(2).(*pairLink)
		p.mu.Lock()
		defer p.mu.Unlock()
		assert.Zero(t, cap(p.kept.frames))
		assert.NotZero(t, p.kept.had)
	})
}

func TestKept(t *testing.T) {
	k := kept{pool: &spares{}}
	var want []string
	add := func(n int) {
		body := strings.Repeat(fmt.Sprint(len(want)%10), n)
		k.add(header{kind: kindMessage, length: uint64(n)}, []byte(body))
		want = append(want, body)
	}
	check := func() {
		t.Helper()
		require.Equal(t, len(want)-int(k.had), len(k.frames))
		copied := 0
		for i := range k.frames {
			f := &k.frames[i]
			require.Equal(t, want[int(k.had)+i], string(f.body))
			require.Equal(t, len(f.body), int(f.length))
			if !f.lent {
				copied += len(f.body) + frameCost
			}
		}
		require.Equal(t, copied, k.copied)
	}
	for n := range 100 {
		add(n)
		add(n % 3 * 3000)
		check()
		require.NoError(t, k.forget(uint64(n)))
		check()
	}
	k.undo()
	want = want[:len(want)-1]
	check()
	assert.ErrorContains(t, k.forget(200), "it says that it has 200 frames of 199")
	require.NoError(t, k.forget(98))
	check()
	assert.False(t, k.full())
	for range keptBound / 50_000 {
		add(50_000)
	}
	assert.True(t, k.full())
	require.NoError(t, k.forget(k.had+120))
	check()

	lent := []byte(strings.Repeat("l", lentBody))
	k.add(header{kind: kindMessage, length: lentBody}, lent)
	want = append(want, string(lent))
	assert.Same(t, &lent[0], &k.frames[len(k.frames)-1].body[0])
	k.own()
	clear(lent)
	check()
	require.NoError(t, k.forget(k.had+uint64(len(k.frames))))
	check()
	k.shrink()
	assert.Nil(t, k.spare)
	assert.NoError(t, k.forget(200))
}

// Two ranks may ask each other at the same time where they take links. An answer
// that comes when they have one harms nothing.
func TestAnswerBehindTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := pair(t, asIs)
		before := comms[1].job.mesh.to(2)
		require.NotNil(t, before)
		comms[2].job.pairing.answer(1)
		require.NoError(t, comms[2].Send(t.Context(), 1, 1, text("behind it")))
		_, err := comms[1].Recv(t.Context(), 2, 1)
		require.NoError(t, err)
		time.Sleep(time.Second)
		assert.Equal(t, before, comms[1].job.mesh.to(2))
		closeAll(comms)
	})
}
