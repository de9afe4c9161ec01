package ame

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// overPairPipes is overMemory with ranks that take links from each other, at
// the address "rank N".
func overPairPipes(tb testing.TB, size int) []Config {
	configs := overMemory(tb, size)
	listeners := make([]*MemoryListener, size)
	for rank := range configs {
		if rank == 0 {
			continue
		}
		listeners[rank] = NewMemoryListener()
		toRoot := configs[rank].Dial
		configs[rank].Dial = func(ctx context.Context, address string) (net.Conn, error) {
			var to int
			if _, err := fmt.Sscanf(address, "rank %d", &to); err == nil {
				return listeners[to].Dial(ctx, address)
			}
			return toRoot(ctx, address)
		}
		configs[rank].Listen = func() (net.Listener, []string, error) {
			return listeners[rank], []string{fmt.Sprint("rank ", rank)}, nil
		}
	}
	return configs
}

// Messages keep their order while the way that they take changes, in both
// directions and with bodies of all sizes, and in the end all pairs have links by pipes.
func TestOrderAcrossTheSwitch(t *testing.T) {
	const size, n = 4, 300
	for name, by := range map[string]transport{"pipes": overPairPipes, "tcp": overPairs} {
		t.Run(name, func(t *testing.T) {
			comms := connectAll(t, by, size)
			noErrors(t, each(comms, func(c *Comm) error {
				var sends sync.WaitGroup
				errs := make([]error, size)
				for dest := range size {
					sends.Go(func() {
						for i := range n {
							body := make([]byte, 8+i%7*1000)
							if i == n/2 {
								body = make([]byte, 2*chunk+77)
							}
							binary.BigEndian.PutUint64(body, uint64(i))
							errs[dest] = errors.Join(errs[dest], c.Send(t.Context(), dest, 1, Payload{Body: body}))
							if i%20 == 0 {
								time.Sleep(time.Millisecond) // the link is to come in the middle
							}
						}
					})
				}
				for source := range size {
					for i := range n {
						m, err := c.Recv(t.Context(), source, 1)
						if err != nil {
							return err
						}
						if got := binary.BigEndian.Uint64(m.Body); got != uint64(i) {
							return fmt.Errorf("rank %d got message %d of rank %d in place of %d", c.Rank(), got, source, i)
						}
					}
				}
				sends.Wait()
				return errors.Join(errs...)
			}))
			for _, c := range comms { // a quiet job goes on with making them
				if name == "tcp" {
					break // on a busy machine a link may not come in its time, and the relay stays
				}
				all := func() bool { return len(c.job.mesh.links()) == size-1 }
				assert.Eventually(t, all, time.Minute/2, time.Millisecond, "rank %d", c.Rank())
			}
		})
	}
}

// pair returns a job of three whose ranks 1 and 2 have a link of their own.
func pair(t *testing.T, change func([]Config)) []*Comm {
	comms := connectAll(t, func(tb testing.TB, size int) []Config {
		configs := overPairPipes(tb, size)
		change(configs)
		return configs
	}, 3)
	require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("opens it")))
	_, err := comms[2].Recv(t.Context(), 1, 1)
	require.NoError(t, err)
	time.Sleep(time.Second) // frames that no call waits for may lie unread for a while
	return comms
}

func asIs([]Config) {}

// A body that takes longer than a link may take to come about holds up the
// switch, and does no harm: on either side.
func TestLongBodyBeforeTheSwitch(t *testing.T) {
	for _, long := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			comms := connectAll(t, overPairPipes, 3)
			sending, _ := comms[long].job.mesh.sending(3 - long)
			sending <- struct{}{}
			j := comms[1].job
			j.mesh.wants(2)
			j.background(func() { j.pairing.open(2) })
			time.Sleep(3 * pairTime)
			<-sending
			for _, from := range []int{1, 2} {
				require.NoError(t, comms[from].Send(t.Context(), 3-from, 2, text("after")))
				_, err := comms[3-from].Recv(t.Context(), from, 2)
				require.NoError(t, err)
			}
			time.Sleep(time.Second)
			assert.NotNil(t, comms[1].job.mesh.to(2), "rank %d sends long", long)
			assert.NotNil(t, comms[2].job.mesh.to(1), "rank %d sends long", long)
		})
	}
}

// Where the one that makes a link gives up at the last moment, the other one
// does not use it.
func TestLinkThatItsMakerDoesNotUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dial func(context.Context, string) (net.Conn, error)
		comms := connectAll(t, func(tb testing.TB, size int) []Config {
			configs := overPairPipes(tb, size)
			dial = configs[1].Dial
			return configs
		}, 3)
		_, err := comms[1].job.pairing.ask(t.Context(), 2)
		require.NoError(t, err)
		conn, err := dial(t.Context(), "rank 2")
		require.NoError(t, err)
		answer, err := greet(conn, comms[1].job.pairing.own.open(2))
		require.NoError(t, err)
		v, err := prove(conn, answer)
		require.NoError(t, err)
		require.Equal(t, verdictWelcome, v)
		conn.Close()
		time.Sleep(time.Minute)
		require.NoError(t, comms[2].Send(t.Context(), 1, 1, text("by way of rank 0")))
		_, err = comms[1].Recv(t.Context(), 2, 1)
		assert.NoError(t, err)
	})
}

// Two ranks that make a link to each other at the same time end up with one.
func TestBothMakeALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overPairPipes, 3)
		noErrors(t, each(comms[1:], func(c *Comm) error {
			other := 3 - c.Rank()
			for range 3 {
				if err := c.Send(t.Context(), other, 1, text("m")); err != nil {
					return err
				}
				if _, err := c.Recv(t.Context(), other, 1); err != nil {
					return err
				}
			}
			return nil
		}))
		time.Sleep(time.Second)
		assert.NotNil(t, comms[1].job.mesh.to(2))
		assert.NotNil(t, comms[2].job.mesh.to(1))
	})
}

// Where no link can be made, messages go on by way of rank 0, and the log says
// so once.
func TestNoLinkCanBeMade(t *testing.T) {
	for name, change := range map[string]func(cfg *Config){
		"nobody listens": func(cfg *Config) { cfg.Listen = nil },
		"cannot listen": func(cfg *Config) {
			cfg.Listen = func() (net.Listener, []string, error) { return nil, nil, errors.New("no free port") }
		},
		"firewall": func(cfg *Config) {
			dial := cfg.Dial
			cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
				if strings.HasPrefix(address, "rank") {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return dial(ctx, address)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logBuffer
				comms := pair(t, func(configs []Config) {
					for i := range configs[1:] {
						change(&configs[i+1])
						configs[i+1].Logger = log.logger()
					}
				})
				time.Sleep(time.Minute)
				for range 3 {
					require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("m")))
					_, err := comms[2].Recv(t.Context(), 1, 1)
					require.NoError(t, err)
				}
				assert.Nil(t, comms[1].job.mesh.to(2))
				assert.LessOrEqual(t, strings.Count(log.String(), "by way of rank 0"), 1)
				assert.Equal(t, name == "firewall", strings.Contains(log.String(), "by way of rank 0"))
			})
		})
	}
}

// Ranks with a link of their own go on when rank 0 has closed, and hear of each
// other's bye over it.
func TestPairAfterRootLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := pair(t, asIs)
		require.NoError(t, comms[2].Send(t.Context(), 1, 1, text("back")))
		_, err := comms[1].Recv(t.Context(), 2, 1)
		require.NoError(t, err)
		go comms[0].Close()
		time.Sleep(time.Second)
		_, err = comms[1].Recv(t.Context(), 0, 1)
		assert.ErrorIs(t, err, ErrLeft)
		require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("goes on")))
		m, err := comms[2].Recv(t.Context(), AnySource, 1)
		require.NoError(t, err)
		assert.Equal(t, "goes on", string(m.Body))
		go comms[1].Close()
		_, err = comms[2].Recv(t.Context(), AnySource, 1)
		assert.ErrorIs(t, err, ErrLeft)
	})
}

// A member's listener takes ranks of this job's run alone.
func TestPairListenerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dial func(context.Context, string) (net.Conn, error)
		comms := pair(t, func(configs []Config) { dial = configs[1].Dial })
		own := comms[1].job.pairing.own
		for name, change := range map[string]func(c *credentials){
			"other run":    func(c *credentials) { c.run[0] ^= 1 },
			"no run":       func(c *credentials) { c.run = run{} },
			"wrong key":    func(c *credentials) { c.pairs = &keyring{keys: map[int]Key{2: make(Key, 32)}} },
			"the job's":    func(c *credentials) { c.pairs = nil },
			"says rank 0":  func(c *credentials) { c.rank = 0 },
			"itself":       func(c *credentials) { c.rank = 2 },
			"has one":      func(c *credentials) {},
			"out of range": func(c *credentials) { c.rank = 3 },
		} {
			c := own
			change(&c)
			conn, err := dial(t.Context(), "rank 2")
			require.NoError(t, err)
			conn.SetDeadline(time.Now().Add(time.Minute))
			answer, err := greet(conn, c.open(2))
			v := verdict(0)
			if err == nil {
				v, err = prove(conn, answer)
			}
			if name == "has one" {
				assert.Equal(t, verdictCrossing, v)
			} else {
				assert.Error(t, err, name)
			}
			conn.Close()
		}
		noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }))
	})
}

func TestAddressesWire(t *testing.T) {
	addresses := []string{"a:1", "", "[::1]:22"}
	wire := "\x00\x03" + "\x00\x03a:1" + "\x00\x00" + "\x00\x08[::1]:22"
	assert.Equal(t, wire, string(appendAddresses(nil, addresses)))
	got, err := parseAddresses([]byte(wire))
	require.NoError(t, err)
	assert.Equal(t, addresses, got)
	for n := range len(wire) {
		_, err := parseAddresses([]byte(wire[:n]))
		assert.Error(t, err, "%d bytes", n)
	}
	_, err = parseAddresses([]byte("\xff\xff"))
	assert.Error(t, err)
}

// late is a connection over which what is written arrives a second later.
type late struct {
	net.Conn
	queue  chan []byte
	closed chan struct{}
	once   sync.Once
}

func newLate(conn net.Conn) *late {
	l := &late{Conn: conn, queue: make(chan []byte, 100), closed: make(chan struct{})}
	go func() {
		for {
			select {
			case b := <-l.queue:
				time.Sleep(time.Second)
				conn.Write(b)
			case <-l.closed:
				return
			}
		}
	}()
	return l
}

func (l *late) Write(b []byte) (int, error) {
	l.queue <- bytes.Clone(b)
	return len(b), nil
}

func (l *late) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

// What a rank has sent over a link of its own before it closed comes before what
// rank 0 says of it, also to a rank that had asked before there was the link.
func TestByeOfAPairComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, func(tb testing.TB, size int) []Config {
			configs := overPairPipes(tb, size)
			dial := configs[1].Dial
			configs[1].Dial = func(ctx context.Context, address string) (net.Conn, error) {
				conn, err := dial(ctx, address)
				if err == nil && strings.HasPrefix(address, "rank") {
					conn = newLate(conn)
				}
				return conn, err
			}
			return configs
		}, 3)
		got := make(chan error)
		go func() {
			_, err := comms[2].Recv(t.Context(), 1, 9)
			got <- err
		}()
		time.Sleep(time.Second) // it asks rank 0
		require.NoError(t, comms[1].Send(t.Context(), 2, 1, text("opens it")))
		time.Sleep(pairTime)
		require.NotNil(t, comms[1].job.mesh.to(2))
		require.NoError(t, comms[1].Send(t.Context(), 2, 9, text("the last word")))
		go comms[1].Close()
		assert.NoError(t, <-got)
		_, err := comms[2].Recv(t.Context(), 1, 9)
		assert.ErrorIs(t, err, ErrLeft)
	})
}
