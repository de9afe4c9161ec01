package ame

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logBuffer captures what a rank logs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func assertNoKey(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		secret := []byte(testKey)
		for _, form := range []string{string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret), fmt.Sprint(secret), fmt.Sprintf("%q", secret)} {
			assert.NotContains(t, text, form)
		}
	}
}

// start connects the given ranks, each in a goroutine, and returns what comes
// of it when all have ended.
func start(ctx context.Context, configs []Config) (comms []*Comm, errs []error) {
	comms, errs = make([]*Comm, len(configs)), make([]error, len(configs))
	var wg sync.WaitGroup
	for i, cfg := range configs {
		wg.Go(func() { comms[i], errs[i] = Connect(ctx, cfg) })
	}
	wg.Wait()
	return comms, errs
}

// greetAs runs the member's handshake as rank of a job of two and returns
// rank 0's verdict.
func greetAs(conn net.Conn, cfg *Config) (verdict, error) {
	answer, err := greet(conn, testCredentials(cfg).open(0))
	if err != nil {
		return 0, err
	}
	return prove(conn, answer)
}

// Each stranger knocks at rank 0 of a job of 3 that is starting, before its
// own ranks do. It is turned away for the given reason and the job starts.
func TestStrangers(t *testing.T) {
	member := func(change func(*Config)) script {
		return func(conn net.Conn) {
			cfg := testConfig(1, 3)
			change(cfg)
			greetAs(conn, cfg)
		}
	}
	frame := func(h header, body string) script {
		return func(conn net.Conn) {
			if v, err := greetAs(conn, testConfig(1, 3)); v != verdictWelcome {
				panic(fmt.Sprint(v, err))
			}
			conn.Write(append(h.appendTo(nil), body...))
			io.Copy(io.Discard, conn)
		}
	}
	for name, c := range map[string]struct {
		peer script
		want string // in the reason; "": not counted
	}{
		"wrong key": {func(conn net.Conn) {
			conn.Write([]byte(openerWire))
			io.CopyN(io.Discard, conn, int64(helloSize+proofSize))
			conn.Write(make([]byte, proofSize))
			io.Copy(io.Discard, conn)
		}, "wrong key"},
		"mirror": {func(conn net.Conn) { // says rank 0's proof back to it
			conn.Write([]byte(openerWire))
			said := make([]byte, helloSize+proofSize)
			io.ReadFull(conn, said)
			conn.Write(said[helloSize:])
			io.Copy(io.Discard, conn)
		}, "wrong key"},
		"proves nothing":     {func(conn net.Conn) { conn.Write([]byte(openerWire)); io.CopyN(io.Discard, conn, 10) }, ""},
		"probe":              {func(conn net.Conn) {}, "closed before its hello"},
		"one byte":           {func(conn net.Conn) { conn.Write([]byte("d")) }, "closed in the middle of its hello"},
		"one byte and stall": {func(conn net.Conn) { conn.Write([]byte("d")); io.Copy(io.Discard, conn) }, "no whole hello within 10s"},
		"stall before proof": {func(conn net.Conn) { conn.Write([]byte(openerWire)); io.Copy(io.Discard, conn) }, "no whole proof within 10s"},
		"browser":            {func(conn net.Conn) { conn.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 9)) }, "does not speak this protocol"},
		"rank out of range": {func(conn net.Conn) {
			conn.Write([]byte(strings.Replace(openerWire, "\x00\x00\x00\x02", "\x00\x00\x00\x03", 1)))
		}, "it says to be rank 3 of 3"},
		"wrong size":           {member(func(c *Config) { c.Size = 2 }), "its job has 2 ranks, ours 3"},
		"other job":            {member(func(c *Config) { c.Root.Job = "other" }), "another job"},
		"other version":        {func(conn net.Conn) { conn.Write([]byte(strings.Replace(openerWire, "\x00\x04", "\x00\x09", 1))) }, "protocol version 9, this is 4"},
		"closes after verdict": {member(func(*Config) {}), "rank 1 before its join frame: EOF"},
		"no join frame":        {frame(header{kind: kindMessage, source: 1}, ""), "message frame from rank 1 instead"},
		"joins for another":    {frame(header{kind: kindJoin, source: 2}, ""), "join frame in the name of rank 2"},
		"bad join frame":       {frame(header{kind: kindJoin, source: 1, length: 3}, "abc"), "peer entry cut short"},
		"oversize join":        {frame(header{kind: kindJoin, source: 1, length: 1 << 40}, ""), "announces 1099511627776 bytes"},
		"half a join":          {frame(header{kind: kindJoin, source: 1, length: 100}, "abc"), "in the middle of a join frame"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				configs := overMemory(t, 3)
				var log logBuffer
				var heard []Missing
				configs[0].Logger = log.logger()
				configs[0].Waiting = func(m Missing) { heard = append(heard, m) }
				conns := make(chan net.Conn, 1)
				late := configs[1].Dial
				go func() {
					conn, err := late(t.Context(), "")
					if err != nil {
						panic(err)
					}
					conns <- conn
					c.peer(conn)
					conn.Close()
				}()
				for i := range configs[1:] { // the job's own ranks come after 15 s
					configs[i+1].Dial = func(ctx context.Context, address string) (net.Conn, error) {
						select {
						case <-time.After(15 * time.Second):
							return late(ctx, address)
						case <-ctx.Done():
							return nil, ctx.Err()
						}
					}
				}
				comms, errs := start(t.Context(), configs)
				noErrors(t, errs)
				require.Len(t, heard, 1)
				assert.Equal(t, []int{1, 2}, heard[0].Ranks)
				if c.want == "" {
					assert.NotContains(t, log.String(), "turned away")
				} else {
					assert.Contains(t, log.String(), c.want)
				}
				assertNoKey(t, log.String(), fmt.Sprint(heard))
				noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }))
				closeAll(comms)
				(<-conns).Close()
			})
		})
	}
}

// While a rank lives, a second process of its number ends the job, during the
// start as after it: nobody can tell which of the two is meant.
func TestRankComesTwice(t *testing.T) {
	for name, up := range map[string]bool{"in the start": false, "later": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				configs := overMemory(t, 3)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				twin := make(chan error)
				go func() {
					time.Sleep(2 * time.Second)
					_, err := Connect(ctx, configs[1])
					twin <- err
				}()
				ranks := configs
				if !up {
					ranks = configs[:2]
				}
				comms, errs := start(ctx, ranks)
				if up {
					noErrors(t, errs)
					errs = each(comms, func(c *Comm) error { _, err := c.Recv(ctx, AnySource, AnyTag); return err })
				}
				assert.ErrorContains(t, <-twin, "ame: connect: rank 1: rank 0: it has a rank of our number already")
				for rank, err := range errs {
					assert.ErrorContains(t, err, "rank 1 on nodeb: gave up: two processes are rank 1", "rank %d", rank)
					assert.ErrorContains(t, err, "AME_BOOTSTRAP=single", "rank %d", rank)
				}
				if up {
					closeAll(comms)
				}
			})
		})
	}
}

// A rank of the next program of a task may come while rank 0 of this one is
// still busy. It is told so, waits for its own, and disturbs nobody.
func TestNextProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := overMemory(t, 2), overMemory(t, 2)
		comms, errs := start(t.Context(), first)
		noErrors(t, errs)
		require.NoError(t, comms[1].Close())
		var over atomic.Bool // the first program, on rank 0
		toFirst, toSecond := first[1].Dial, second[1].Dial
		second[1].Dial = func(ctx context.Context, address string) (net.Conn, error) {
			if !over.Load() {
				return toFirst(ctx, address)
			}
			return toSecond(ctx, address)
		}
		next := make(chan error)
		go func() {
			c, err := Connect(t.Context(), second[1])
			if err == nil {
				err = errors.Join(c.Barrier(t.Context()), c.Close())
			}
			next <- err
		}()
		time.Sleep(10 * time.Second)
		require.NoError(t, comms[0].Send(t.Context(), 0, 1, text("goes on")))
		_, err := comms[0].Recv(t.Context(), 0, 1)
		require.NoError(t, err)
		require.NoError(t, comms[0].Close())
		over.Store(true)
		c, err := Connect(t.Context(), second[0])
		require.NoError(t, err)
		require.NoError(t, c.Barrier(t.Context()))
		require.NoError(t, <-next)
		require.NoError(t, c.Close())
	})
}

// The user hears of missing ranks after 10 s and every 30 s from then on.
// At the deadline all ranks that came name those that did not.
func TestMissingRanks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		configs := overMemory(t, 9)
		var waited []time.Duration
		configs[0].Waiting = func(m Missing) {
			waited = append(waited, m.Waited)
			assert.Equal(t, []int{3, 5, 6, 7}, m.Ranks)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 75*time.Second)
		defer cancel()
		early, cancelEarly := context.WithTimeout(t.Context(), 72*time.Second) // of a rank that was started before rank 0
		defer cancelEarly()
		var wg sync.WaitGroup
		for _, rank := range []int{0, 1, 2, 4, 8} {
			wg.Go(func() {
				ctx := ctx
				if rank == 4 {
					ctx = early
				}
				_, err := Connect(ctx, configs[rank])
				assert.ErrorIs(t, err, ErrTimeout)
				assert.EqualError(t, err, fmt.Sprintf("ame: connect: rank %d: ranks did not connect in time after 1m15s: missing ranks 3,5-7", rank))
			})
		}
		wg.Wait()
		assert.Equal(t, []time.Duration{10 * time.Second, 40 * time.Second, 70 * time.Second}, waited)
	})
}

func TestStartCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		configs := overMemory(t, 3)
		ctx, cancel := context.WithCancelCause(t.Context())
		waiting := make(chan error)
		go func() {
			_, err := Connect(t.Context(), configs[1])
			waiting <- err
		}()
		go func() {
			time.Sleep(time.Second)
			cancel(errors.New("interrupted"))
		}()
		_, err := Connect(ctx, configs[0])
		const want = "interrupted; ranks did not connect in time after 1s: missing rank 2"
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, <-waiting, want)
	})
}

// A rank that dies in the start-up ends it for all, and no late one hangs.
func TestRankDiesInStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		configs := overMemory(t, 5)
		go func() {
			time.Sleep(time.Second)
			conn, err := configs[3].Dial(t.Context(), "")
			if err != nil {
				panic(err)
			}
			greetAs(conn, testConfig(3, 5))
			h := header{kind: kindJoin, source: 3}
			body := appendPeer(nil, peerOn("noded", 1))
			h.length = uint64(len(body))
			conn.Write(append(h.appendTo(nil), body...))
			conn.Close()
		}()
		_, errs := start(t.Context(), configs[:3])
		for rank, err := range errs {
			assert.ErrorIs(t, err, ErrLost, "rank %d", rank)
			assert.ErrorContains(t, err, "rank 3", "rank %d", rank)
		}
		assert.ErrorContains(t, errs[0], "rank 3 on noded: lost: it ended without Close: its connection was closed without a bye")
	})
}

// The first rank to be welcome may talk to the last one at once.
func TestMessageDoesNotOvertakeWelcome(t *testing.T) {
	configs := overTCP(t, 40)
	comms := make([]*Comm, len(configs))
	errs := make([]error, len(configs))
	var wg sync.WaitGroup
	for rank, cfg := range configs {
		wg.Go(func() {
			c, err := Connect(t.Context(), cfg)
			comms[rank], errs[rank] = c, err
			if err == nil && rank == 1 {
				errs[rank] = c.Send(t.Context(), len(configs)-1, 7, Payload{Body: []byte("hi")})
			}
		})
	}
	wg.Wait()
	noErrors(t, errs)
	m, err := comms[len(configs)-1].Recv(t.Context(), 1, 7)
	require.NoError(t, err)
	assert.Equal(t, "hi", string(m.Body))
	closeAll(comms)
}

// Rank 0 is tried at all addresses side by side: nothing listens at one, one
// takes no connection and answers nothing, one is another job's, one is right.
func TestSeveralAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		configs := overMemory(t, 3)
		foreign := NewMemoryListener()
		defer foreign.Close()
		go func() {
			for {
				conn, err := foreign.Accept()
				if err != nil {
					return
				}
				go func() {
					receive(conn, testCredentials(&Config{Size: 3, Root: Endpoint{Job: "other", Key: testKey}}))
					conn.Close()
				}()
			}
		}()
		right := configs[1].Dial
		dial := func(ctx context.Context, address string) (net.Conn, error) {
			switch address {
			case "refused:1":
				return nil, errors.New("refused:1: connection refused")
			case "blackhole:1":
				<-ctx.Done()
				return nil, ctx.Err()
			case "foreign:1":
				return foreign.Dial(ctx, address)
			}
			return right(ctx, address)
		}
		for i := range configs[1:] {
			configs[i+1].Dial = dial
			configs[i+1].Root.Addresses = []string{"refused:1", "blackhole:1", "foreign:1", "right:1", "right:2"}
		}
		begin := time.Now()
		comms, errs := start(t.Context(), configs)
		noErrors(t, errs)
		assert.Zero(t, time.Since(begin), "the wrong addresses cost no time")
		closeAll(comms)
	})
}

// A rank that cannot reach rank 0 says what it tried and what became of it.
func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewMemoryListener()
		defer l.Close()
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					cfg := testConfig(0, 2)
					cfg.Root.Key = bytes.Repeat([]byte{1}, 32)
					receive(conn, testCredentials(cfg))
					conn.Close()
				}()
			}
		}()
		cfg := *testConfig(1, 2)
		var log logBuffer
		cfg.Logger, cfg.Host, cfg.Root.Host, cfg.Root.Addresses = log.logger(), "nodeb", "nodea", []string{"b:2", "a:1"}
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			if address == "a:1" {
				return nil, errors.New("dial tcp a:1: connection refused")
			}
			return l.Dial(ctx, address)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := Connect(ctx, cfg)
		assert.ErrorIs(t, err, ErrTimeout)
		assert.EqualError(t, err, "ame: connect: rank 1: rank 0 on nodea: cannot be reached from nodeb: ranks did not connect in time; "+
			"tried b:2: not a member of this job: wrong key; dial tcp a:1: connection refused")
		assertNoKey(t, err.Error(), log.String())
	})
}

// Rank 0 may come up long after the others.
func TestRootComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		configs := overMemory(t, 3)
		refuse := time.Now().Add(time.Minute)
		right := configs[1].Dial
		for i := range configs[1:] {
			configs[i+1].Dial = func(ctx context.Context, address string) (net.Conn, error) {
				if time.Now().Before(refuse) {
					return nil, errors.New("connection refused")
				}
				return right(ctx, address)
			}
		}
		begin := time.Now()
		comms, errs := start(t.Context(), configs)
		noErrors(t, errs)
		assert.Less(t, time.Since(begin), time.Minute+2*time.Second)
		closeAll(comms)
	})
}

// Rank 0 listens as long as the job lives, and turns strangers away all the time.
func TestListenerLives(t *testing.T) {
	configs := overTCP(t, 2)
	comms, errs := start(t.Context(), configs)
	noErrors(t, errs)
	address := configs[1].Root.Addresses[0]
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write(bytes.Repeat([]byte("x"), helloSize))
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	assert.Error(t, err, "closed")
	noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }))
	closeAll(comms)
	conn, err = net.Dial("tcp", address)
	if !assert.Error(t, err) {
		conn.Close()
	}
}

func TestBadConfig(t *testing.T) {
	good := Config{Rank: 0, Size: 2, Root: Endpoint{Key: testKey}, Listener: NewMemoryListener()}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no size":       {func(c *Config) { c.Size = 0 }, "rank 0 of 0 is out of range"},
		"negative rank": {func(c *Config) { c.Rank = -1 }, "rank -1 of 2 is out of range"},
		"rank too high": {func(c *Config) { c.Rank = 2 }, "rank 2 of 2 is out of range"},
		"huge":          {func(c *Config) { c.Size = 1<<24 + 1 }, "more than the protocol can number"},
		"no key":        {func(c *Config) { c.Root.Key = nil }, "a key of 0 bytes is too short"},
		"short key":     {func(c *Config) { c.Root.Key = testKey[:15] }, "a key of 15 bytes is too short"},
		"no listener":   {func(c *Config) { c.Listener = nil }, "rank 0 has no listener"},
		"no address":    {func(c *Config) { c.Rank = 1 }, "no address of rank 0"},
		"host too long": {func(c *Config) { c.Host = strings.Repeat("a", 70_000) }, "host name of 70000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			_, err := Connect(t.Context(), cfg)
			assert.ErrorContains(t, err, c.want)
			assertNoKey(t, err.Error())
		})
	}
}

func TestDirectoryReachesAll(t *testing.T) {
	comms := connectAll(t, overTCP, 4)
	for _, c := range comms {
		hosts := map[string]bool{}
		for _, p := range c.Peers() {
			hosts[p.Host] = true
			assert.NotZero(t, p.PID)
		}
		assert.Equal(t, []string{"nodea", "nodeb", "nodec", "noded"}, slices.Sorted(maps.Keys(hosts)))
	}
}

func TestRankList(t *testing.T) {
	for want, ranks := range map[string][]int{
		"rank 3": {3}, "ranks 1-4,7": {1, 2, 3, 4, 7}, "ranks 1,3,5-6": {1, 3, 5, 6}, "ranks 1-2": {1, 2},
	} {
		assert.Equal(t, want, rankList(ranks))
	}
}

// A rank follows endpoints until one leads to rank 0: none yet, one of another
// job whose listener answers nothing, and the right one.
func TestNewerEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		configs := overMemory(t, 2)
		right := configs[1].Root
		stale := Endpoint{Job: "before", Key: bytes.Repeat([]byte{1}, minKey), Addresses: []string{"gone:1"}}
		configs[1].Root = Endpoint{}
		dial := configs[1].Dial
		configs[1].Dial = func(ctx context.Context, address string) (net.Conn, error) {
			if address == "gone:1" {
				return nil, errors.New("connection refused")
			}
			return dial(ctx, address)
		}
		configs[1].Newer = func(ctx context.Context, have Endpoint) (Endpoint, error) {
			switch {
			case len(have.Addresses) == 0:
				time.Sleep(time.Minute)
				return stale, nil
			case have.Job == stale.Job:
				time.Sleep(time.Minute)
				return right, nil
			}
			<-ctx.Done()
			return Endpoint{}, context.Cause(ctx)
		}
		comms, errs := start(t.Context(), configs)
		noErrors(t, errs)
		noErrors(t, each(comms, func(c *Comm) error { return c.Barrier(t.Context()) }))
		closeAll(comms)
	})
}

// What ends the search for a newer endpoint ends the start, with what has
// become of the addresses if there were any.
func TestNoNewerEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := *testConfig(1, 2)
		cfg.Dial = func(context.Context, string) (net.Conn, error) { return nil, errors.New("connection refused") }
		cfg.Newer = func(ctx context.Context, have Endpoint) (Endpoint, error) {
			<-ctx.Done()
			return Endpoint{}, fmt.Errorf("the file did not appear: %w", context.Cause(ctx))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := Connect(ctx, cfg)
		assert.EqualError(t, err, "ame: connect: rank 1: rank 0: the file did not appear: context deadline exceeded")
		cfg.Root.Addresses, cfg.Root.Host = []string{"a:1"}, "nodea"
		_, err = Connect(ctx, cfg)
		assert.EqualError(t, err, "ame: connect: rank 1: rank 0 on nodea: cannot be reached from "+hostOf(t)+": ranks did not connect in time; tried a:1: no answer")
	})
}

func hostOf(t *testing.T) string {
	host, err := os.Hostname()
	require.NoError(t, err)
	return host
}

// A printed configuration shows no key.
func TestKeyIsHidden(t *testing.T) {
	cfg := testConfig(0, 2)
	encoded, err := json.Marshal(cfg.Root)
	require.NoError(t, err)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		assertNoKey(t, fmt.Sprintf(format, *cfg), fmt.Sprintf(format, cfg.Root), fmt.Sprintf(format, cfg.Root.Key))
	}
	assertNoKey(t, string(encoded))
}
