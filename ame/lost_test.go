package ame

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kill ends a rank as a crash does: its connections close without a bye, and
// it tells nobody anything.
func kill(c *Comm) {
	c.job.mu.Lock()
	c.job.closed = true
	c.job.endLife()
	c.job.mu.Unlock()
	for _, l := range c.job.mesh.links() {
		if tcp, ok := streamOf(l).conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) // a reset
		}
		l.close()
	}
	for rank := range c.job.size { // a Close of rank 0 that is under way is over
		if rank != c.job.rank {
			c.job.mesh.leave(rank, &trouble{rank, ErrClosed})
		}
	}
}

func streamOf(l link) *stream {
	if p, ok := l.(*pairLink); ok {
		return p.stream
	}
	return l.(*stream)
}

// waits are the ways to wait for another rank; victim takes no part.
var waits = map[string]func(ctx context.Context, c *Comm, victim int) error{
	"recv from it": func(ctx context.Context, c *Comm, victim int) error { _, err := c.Recv(ctx, victim, 1); return err },
	"recv from any": func(ctx context.Context, c *Comm, _ int) error {
		_, err := c.Recv(ctx, AnySource, AnyTag)
		return err
	},
	"recv from another": func(ctx context.Context, c *Comm, victim int) error {
		other := (c.Rank() + 1) % c.Size()
		if other == victim {
			other = (other + 1) % c.Size()
		}
		_, err := c.Recv(ctx, other, 1)
		return err
	},
	"recv from itself": func(ctx context.Context, c *Comm, _ int) error { _, err := c.Recv(ctx, c.Rank(), 1); return err },
	"gather": func(ctx context.Context, c *Comm, _ int) error {
		if _, err := c.Gather(ctx, Call{}, text("g")); err != nil || c.Rank() == 0 {
			return err
		}
		return c.Barrier(ctx)
	},
	"barrier": func(ctx context.Context, c *Comm, _ int) error { return c.Barrier(ctx) },
	"bcast": func(ctx context.Context, c *Comm, victim int) error {
		if c.Rank() == 0 {
			_, err := c.Recv(ctx, victim, 1)
			return err
		}
		_, err := c.Bcast(ctx, Call{}, Payload{})
		return err
	},
	"dup": func(ctx context.Context, c *Comm, victim int) error {
		if c.Rank() == 0 {
			_, err := c.Recv(ctx, victim, 1)
			return err
		}
		_, err := c.Dup(ctx)
		return err
	},
	"sends": func(ctx context.Context, c *Comm, victim int) error {
		for {
			if err := c.Send(ctx, victim, 1, Payload{Body: make([]byte, 100<<10)}); err != nil {
				return err
			}
			time.Sleep(10 * time.Millisecond)
		}
	},
}

// A lost rank is an error with its rank, node and cause on every other one,
// in whatever call it waits, and in every later call.
func TestLostRank(t *testing.T) {
	const size = 4
	hosts := []string{"nodea", "nodeb", "nodec", "noded"}
	for transportName, by := range transports {
		for name, wait := range waits {
			for _, victim := range []int{0, 2} {
				meetings(t, fmt.Sprintf("%s/%s/rank %d", transportName, name, victim), func(t *testing.T, meet meeting) {
					test := func(t *testing.T) {
						comms := connectAll(t, by, size)
						meet(t, comms)
						begin := time.Now()
						errs := each(comms, func(c *Comm) error {
							if c.Rank() == victim {
								if transportName == "memory" {
									time.Sleep(time.Second) // so that the others wait
								}
								begin = time.Now()
								kill(c)
								return nil
							}
							err := wait(t.Context(), c, victim)
							assert.ErrorIs(t, c.Barrier(t.Context()), ErrLost, "a later call")
							return err
						})
						assert.Less(t, time.Since(begin), 2*time.Second)
						for rank, err := range errs {
							if rank == victim {
								continue
							}
							assert.ErrorIs(t, err, ErrLost, "rank %d", rank)
							var e *Error
							require.ErrorAs(t, err, &e)
							assert.Equal(t, []any{rank, victim, hosts[victim]}, []any{e.Rank, e.Peer, e.Host})
							assert.Regexp(t, fmt.Sprintf("ame: \\w+: rank %d: rank %d on %s: lost: .*(without a bye|reset by peer|broken pipe|closed pipe)", rank, victim, hosts[victim]), err)
							assert.NotContains(t, err.Error(), "127.0.0.1")
						}
					}
					if transportName == "memory" {
						synctest.Test(t, test)
					} else {
						test(t)
					}
				})
			}
		}
	}
}

// What a rank has sent before it is lost is received.
func TestSentBeforeLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		require.NoError(t, comms[2].Send(t.Context(), 1, 1, text("last words")))
		synctest.Wait()
		kill(comms[2])
		synctest.Wait()
		m, err := comms[1].Recv(t.Context(), 2, 1)
		require.NoError(t, err)
		assert.Equal(t, "last words", string(m.Body))
		_, err = comms[1].Recv(t.Context(), 2, 1)
		assert.ErrorIs(t, err, ErrLost)
	})
}

// rawMember joins as a rank and leaves the rest to the caller.
func rawMember(t *testing.T, cfg Config, self Peer) net.Conn {
	conn, err := cfg.Dial(t.Context(), "")
	require.NoError(t, err)
	v, err := greetAs(conn, &cfg)
	require.NoError(t, err)
	require.Equal(t, verdictWelcome, v)
	writeFrame(conn, header{kind: kindJoin, source: uint32(cfg.Rank)}, string(appendPeer(nil, self)))
	return conn
}

func writeFrame(conn net.Conn, h header, body string) {
	h.length = uint64(len(body))
	conn.Write(append(h.appendTo(nil), body...))
}

// withRaw brings up a job of 3 whose rank 2 is a script that says to be self.
func withRaw(t *testing.T, self Peer, heartbeat time.Duration) (comms []*Comm, raw net.Conn) {
	return withRawLast(t, 3, self, heartbeat)
}

// withRawLast is withRaw with so many ranks, of which the last one is raw.
func withRawLast(t *testing.T, size int, self Peer, heartbeat time.Duration) (comms []*Comm, raw net.Conn) {
	configs := withHeartbeat(overMemory, heartbeat)(t, size)
	joined := make(chan net.Conn, 1)
	go func() {
		conn := rawMember(t, configs[size-1], self)
		l := newStream(size-1, 0, conn)
		h, _, err := l.read()
		assert.NoError(t, err)
		assert.Equal(t, kindWelcome, h.kind)
		joined <- conn
	}()
	comms, errs := start(t.Context(), configs[:size-1])
	noErrors(t, errs)
	t.Cleanup(func() { closeAll(comms) })
	return comms, <-joined
}

// A member that breaks the protocol is lost, with what it did as the cause.
func TestMemberBreaksProtocol(t *testing.T) {
	for name, c := range map[string]struct {
		peer script
		want string
	}{
		"in the name of another": {func(conn net.Conn) { writeFrame(conn, header{kind: kindMessage, source: 1}, "") }, "message frame in the name of rank 1"},
		"source out of range":    {func(conn net.Conn) { writeFrame(conn, header{kind: kindMessage, source: 3}, "") }, "in the name of rank 3"},
		"dest out of range":      {func(conn net.Conn) { writeFrame(conn, header{kind: kindMessage, source: 2, dest: 1 << 31}, "") }, "to rank 2147483648 of 3"},
		"left to a member":       {func(conn net.Conn) { writeFrame(conn, header{kind: kindLeft, source: 2, dest: 1}, "") }, "left frame for rank 1"},
		"lost to rank 0":         {func(conn net.Conn) { writeFrame(conn, header{kind: kindLost, source: 2}, "") }, "lost frame after start-up"},
		"fail to a member":       {func(conn net.Conn) { writeFrame(conn, header{kind: kindFail, source: 2, dest: 1}, "") }, "fail frame for rank 1"},
		"second join":            {func(conn net.Conn) { writeFrame(conn, header{kind: kindJoin, source: 2}, "") }, "join frame after start-up"},
		"welcome":                {func(conn net.Conn) { writeFrame(conn, header{kind: kindWelcome, source: 2}, "") }, "welcome frame after start-up"},
		"short fail":             {func(conn net.Conn) { writeFrame(conn, header{kind: kindFail, source: 2}, "abc") }, "fail frame of 3 bytes"},
		"fail about nobody":      {func(conn net.Conn) { writeFrame(conn, header{kind: kindFail, source: 2}, "\x01\x00\x00\x00\x03") }, "fail frame about rank 3 of 3"},
		"other version":          {func(conn net.Conn) { conn.Write(append([]byte{9}, make([]byte, headerSize)...)) }, "frame of protocol version 9"},
		"unknown kind":           {func(conn net.Conn) { writeFrame(conn, header{kind: 99, source: 2}, "") }, "frame of unknown kind 99"},
		"oversize length": {func(conn net.Conn) {
			h := header{kind: kindMessage, source: 2, length: maxBody + 1}
			conn.Write(h.appendTo(nil))
		}, "announces 4611686018427387905 bytes"},
		"half a message": {func(conn net.Conn) {
			h := header{kind: kindMessage, source: 2, length: 1000}
			conn.Write(append(h.appendTo(nil), make([]byte, 500)...))
		}, "in the middle of a message frame of 1000 bytes: unexpected EOF"},
		"half a header": {func(conn net.Conn) { conn.Write([]byte{version, byte(kindMessage)}) }, "unexpected EOF"},
		"nothing":       {func(conn net.Conn) {}, "closed without a bye"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				comms, raw := withRaw(t, peerOn("raw", 0), 0)
				go func() {
					c.peer(raw)
					raw.Close()
				}()
				for rank, err := range each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }) {
					assert.ErrorIs(t, err, ErrLost, "rank %d", rank)
					assert.ErrorContains(t, err, "rank 2 on raw: lost: ", "rank %d", rank)
					assert.ErrorContains(t, err, c.want, "rank %d", rank)
				}
			})
		})
	}
}

// A rank that is alive and takes nothing, such as a stopped process, holds up
// neither the failure of another, nor cancellation, nor Close.
func TestStalledRank(t *testing.T) {
	t.Run("failure reaches a blocked send", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			comms, raw := withRaw(t, peerOn("raw", 0), 0)
			defer raw.Close()
			begin := time.Now()
			errs := each(comms, func(c *Comm) error {
				if c.Rank() == 1 {
					time.Sleep(time.Minute)
					begin = time.Now()
					c.Abort(errors.New("enough"))
					return nil
				}
				return c.Send(t.Context(), 2, 1, text("never taken"))
			})
			assert.ErrorIs(t, errs[0], ErrAborted)
			assert.ErrorContains(t, errs[0], "rank 1 on nodeb")
			assert.LessOrEqual(t, time.Since(begin), 2*time.Second)
		})
	})
	t.Run("cancellation behind a blocked forward", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			comms, raw := withRaw(t, peerOn("raw", 0), 0)
			defer raw.Close()
			require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("never taken")))
			synctest.Wait() // until rank 0 forwards it
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			begin := time.Now()
			err := comms[0].Send(ctx, 2, 1, text("behind it"))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			_, err = comms[0].Recv(ctx, 1, 1)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, time.Minute, time.Since(begin))
			require.NoError(t, comms[0].Send(t.Context(), 1, 1, text("the job goes on")))
			_, err = comms[1].Recv(t.Context(), 0, 1)
			assert.NoError(t, err)
		})
	})
	t.Run("abort", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			comms, raw := withRaw(t, peerOn("raw", 0), 0)
			defer raw.Close()
			require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("never taken")))
			begin := time.Now()
			comms[0].Abort(errors.New("enough"))
			assert.ErrorIs(t, comms[1].Barrier(t.Context()), ErrAborted)
			assert.LessOrEqual(t, time.Since(begin), 2*time.Second)
		})
	})
	t.Run("close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			comms, raw := withRaw(t, peerOn("raw", 0), 0)
			defer raw.Close()
			require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("never taken")))
			begin := time.Now()
			closeAll(comms)
			assert.LessOrEqual(t, time.Since(begin), closeTimeout+time.Second)
		})
	})
}

// A message of which nothing could be sent before its ctx ended harms nothing.
func TestCancelledBeforeItsFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms, raw := withRaw(t, peerOn("raw", 0), 0)
		defer raw.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := comms[0].Send(ctx, 2, 1, text("never taken"))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, comms[0].Send(t.Context(), 1, 1, text("the job goes on")))
		_, err = comms[1].Recv(t.Context(), 0, 1)
		require.NoError(t, err)
		go comms[0].Send(t.Context(), 2, 2, text("taken"))
		b := make([]byte, headerSize+len("taken"))
		_, err = io.ReadFull(raw, b)
		require.NoError(t, err)
		assert.Equal(t, "taken", string(b[headerSize:]))
	})
}

// A large message that its sender gives up in the middle fails the job.
func TestCancelledInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms, raw := withRaw(t, peerOn("raw", 0), 0)
		defer raw.Close()
		ctx, cancel := context.WithCancel(t.Context())
		go io.CopyN(io.Discard, raw, 100)
		sent := make(chan error)
		go func() { sent <- comms[0].Send(ctx, 2, 1, Payload{Body: make([]byte, 1<<20)}) }()
		synctest.Wait()
		cancel()
		assert.ErrorContains(t, <-sent, "gave up: send: context canceled")
		err := comms[1].Barrier(t.Context())
		assert.EqualError(t, err, "ame: barrier: rank 1: rank 0 on nodea: gave up: send: context canceled")
	})
}

// A cancelled collective fails on all ranks, because one part is missing.
func TestCancelledCollective(t *testing.T) {
	for name, call := range collectives {
		for _, canceller := range []int{0, 2} {
			if canceller == 0 && (name == "bcast" || name == "dup") || canceller == 2 && name == "gather" {
				continue // it does not wait there
			}
			meetings(t, fmt.Sprintf("%s/rank %d", name, canceller), func(t *testing.T, meet meeting) {
				synctest.Test(t, func(t *testing.T) {
					comms := connectAll(t, overMemory, 4)
					meet(t, comms)
					late := 3 - 3*(canceller/2) // rank 3 keeps rank 0 waiting, and rank 0 rank 2
					errs := each(comms, func(c *Comm) error {
						ctx := t.Context()
						switch c.Rank() {
						case late:
							time.Sleep(time.Second)
						case canceller:
							var cancel context.CancelFunc
							ctx, cancel = context.WithTimeoutCause(ctx, time.Second/2, errors.New("enough"))
							defer cancel()
						}
						if err := call(ctx, c); err != nil {
							return err
						}
						_, err := c.Recv(t.Context(), AnySource, AnyTag)
						return err
					})
					for rank, err := range errs {
						require.Error(t, err, "rank %d", rank)
						assert.ErrorContains(t, err, "enough", "rank %d", rank)
						if rank != canceller {
							assert.ErrorContains(t, err, fmt.Sprintf("rank %d on node%c: gave up: %s: ", canceller, 'a'+canceller, name))
						}
					}
				})
			})
		}
	}
}

func TestAbort(t *testing.T) {
	for _, aborter := range []int{0, 2} {
		synctest.Test(t, func(t *testing.T) {
			comms := connectAll(t, overMemory, 4)
			errs := each(comms, func(c *Comm) error {
				if c.Rank() == aborter {
					time.Sleep(time.Second)
					c.Abort(errors.New("input has no header"))
					c.Abort(errors.New("a second one changes nothing"))
				}
				_, err := c.Recv(t.Context(), AnySource, AnyTag)
				return err
			})
			for rank, err := range errs {
				assert.ErrorIs(t, err, ErrAborted)
				assert.EqualError(t, err, fmt.Sprintf("ame: recv: rank %d: rank %d on node%c: aborted the job: input has no header", rank, aborter, 'a'+aborter))
			}
		})
	}
}

func TestAbortWithoutReason(t *testing.T) {
	comms := connectAll(t, overMemory, 2)
	comms[1].Abort(nil)
	assert.ErrorContains(t, comms[0].Barrier(t.Context()), "aborted the job: no reason given")
	comms = connectAll(t, overMemory, 2)
	comms[1].Abort(errors.New(strings.Repeat("x", 1<<20)))
	assert.ErrorIs(t, comms[0].Barrier(t.Context()), ErrAborted)
}

// A collective whose time is up says on rank 0 who has not come, on the
// others why the job is over.
func TestCollectiveNamesTheAbsent(t *testing.T) {
	for name, test := range map[string]struct {
		present []int
		want    string
	}{
		"one":     {[]int{1, 3}, "ame: barrier: rank 0: waited for rank 2 on nodec: context deadline exceeded"},
		"several": {[]int{2}, "ame: barrier: rank 0: waited for ranks 1,3: context deadline exceeded"},
	} {
		meetings(t, name, func(t *testing.T, meet meeting) {
			synctest.Test(t, func(t *testing.T) {
				comms := connectAll(t, overMemory, 4)
				meet(t, comms)
				errs := each(comms, func(c *Comm) error {
					switch {
					case c.Rank() == 0:
						ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
						defer cancel()
						return c.Barrier(ctx)
					case slices.Contains(test.present, c.Rank()):
						return c.Barrier(t.Context())
					}
					return nil
				})
				assert.EqualError(t, errs[0], test.want)
				assert.ErrorIs(t, errs[0], context.DeadlineExceeded)
				for _, rank := range test.present {
					assert.ErrorContains(t, errs[rank], "gave up: ")
				}
			})
		})
	}
}

// Config.Lost may take its time, and use the job meanwhile.
func TestLostMayUseTheJob(t *testing.T) {
	var comms []*Comm
	up, used := make(chan struct{}), make(chan error, 2)
	comms = connectAll(t, func(tb testing.TB, size int) []Config {
		configs := overMemory(tb, size)
		for rank := range configs[:2] {
			configs[rank].Lost = func(int) {
				<-up
				c := comms[rank]
				c.Abort(errors.New("enough"))
				_, err := c.Recv(tb.Context(), AnySource, AnyTag)
				used <- err
			}
		}
		return configs
	}, 3)
	close(up)
	kill(comms[2])
	assert.ErrorIs(t, <-used, ErrAborted)
}

// Config.Lost hears of a lost rank before the calls that wait for it end.
func TestLostIsToldBeforeCallsEnd(t *testing.T) {
	heard := make(chan int, 3)
	comms := connectAll(t, func(tb testing.TB, size int) []Config {
		configs := overMemory(tb, size)
		for rank := range configs {
			configs[rank].Lost = func(lost int) { heard <- lost }
		}
		return configs
	}, 3)
	errs := each(comms, func(c *Comm) error {
		if c.Rank() == 2 {
			kill(c)
			return nil
		}
		if err := c.Barrier(t.Context()); !errors.Is(err, ErrLost) {
			return fmt.Errorf("barrier: %w", err)
		}
		if lost := <-heard; lost != 2 {
			return fmt.Errorf("rank %d was lost", lost)
		}
		return nil
	})
	noErrors(t, errs)
	assert.Empty(t, heard, "once on each rank")
}
