package dlp

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func numbers(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

// tally counts what ranks have done, from any goroutine.
type tally struct {
	mu     sync.Mutex
	counts map[int]int
}

func (t *tally) add(item int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[int]int{}
	}
	t.counts[item]++
}

// once returns the numbers 0..n-1 with a 1 each, which is what a tally of n
// items should hold.
func once(n int) map[int]int {
	m := map[int]int{}
	for i := range n {
		m[i] = 1
	}
	return m
}

// eachRank runs body on n ranks and returns what it returned, by rank. Unlike Run
// it does not abort the job when a body fails. The test fails if a rank cannot
// meet the others in a barrier afterwards and usable says that it can.
func eachRank(t *testing.T, n int, usable bool, body func(ctx context.Context, c *Comm) error) []error {
	t.Helper()
	errs := make([]error, n)
	barriers := make([]error, n)
	require.NoError(t, Run(t.Context(), n, func(ctx context.Context, c *Comm) error {
		errs[c.Rank()] = body(ctx, c)
		if usable {
			barriers[c.Rank()] = c.Barrier(ctx)
		}
		return nil
	}))
	for rank, err := range barriers {
		require.NoError(t, err, "barrier behind on rank %d", rank)
	}
	return errs
}

// breakable is a job of n ranks on hosts node0, node1, ... whose connections
// a test can cut.
type breakable struct {
	comms []*Comm
	mu    sync.Mutex
	conns map[int]net.Conn // by rank, to rank 0
}

// cut closes the connection of a rank as a crash would.
func (b *breakable) cut(rank int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns[rank].Close()
}

// startBreakable connects the job in memory; listener, if there is one, makes it TCP.
func startBreakable(t testing.TB, n int, listener net.Listener) *breakable {
	b := &breakable{comms: make([]*Comm, n), conns: map[int]net.Conn{}}
	dial := (&net.Dialer{}).DialContext
	if listener == nil {
		memory := ame.NewMemoryListener()
		listener = memory
		dial = func(ctx context.Context, _, address string) (net.Conn, error) { return memory.Dial(ctx, address) }
	}
	address := listener.Addr().String()
	key := bootstrap.NewKey()
	var wg sync.WaitGroup
	for rank := range n {
		wg.Go(func() {
			cfg := ame.Config{
				Rank: rank, Size: n, Job: "test", Host: "node" + string(rune('0'+rank)), Key: key.Bytes(),
				Root: []string{address},
				Dial: func(ctx context.Context, address string) (net.Conn, error) {
					conn, err := dial(ctx, "tcp", address)
					b.mu.Lock()
					defer b.mu.Unlock()
					b.conns[rank] = conn
					return conn, err
				},
			}
			if rank == 0 {
				cfg.Listener = listener
			}
			backend, err := ame.Connect(context.Background(), cfg)
			if err != nil {
				t.Errorf("rank %d: %v", rank, err)
				return
			}
			b.comms[rank] = newComm(backend, newOptions(nil), Info{Rank: rank, Size: n, Host: cfg.Host, Peers: backend.Peers()})
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return b
}

// run runs body on all ranks and closes them.
func (b *breakable) run(body func(c *Comm) error) []error {
	errs := make([]error, len(b.comms))
	var wg sync.WaitGroup
	for rank, c := range b.comms {
		wg.Go(func() {
			defer c.Close()
			errs[rank] = body(c)
		})
	}
	wg.Wait()
	return errs
}
