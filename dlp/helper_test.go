package dlp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/internal/secret"
	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(mainVariable); name != "" {
		mainProgram(name)
		return
	}
	if name := os.Getenv(stallVariable); name != "" {
		Main(func(ctx context.Context, world *Comm) error { return stallProgram(ctx, world, name) })
		return
	}
	if seed := os.Getenv(scriptVariable); seed != "" {
		scriptProgram(seed)
		return
	}
	if text := os.Getenv(scalingVariable); text != "" {
		if err := scalingRank(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(peerVariable) != "" {
		if err := benchmarkPeer(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	for _, variable := range os.Environ() { // of a launcher that runs these tests
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"AME_", "PMI_", "PMIX_", "OMPI_", "SLURM_"} {
			if strings.HasPrefix(name, prefix) {
				os.Unsetenv(name)
			}
		}
	}
	flag.Parse()
	if *scalingRanks > 0 {
		os.Exit(m.Run()) // takes what it takes
	}
	goleak.VerifyTestMain(deadline.Each(m))
}

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

// eachRank runs body on n ranks and returns what it returned, by rank. Unlike
// Run it does not abort the job when a body fails. The test fails if a rank
// cannot meet the others in a barrier afterwards and usable says that it can.
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

// testConfig is a rank's part in a job on hosts node0, node1, ...
func testConfig(rank, size int, address string, listener net.Listener) ame.Config {
	cfg := ame.Config{Rank: rank, Size: size, Host: fmt.Sprint("node", rank), Root: ame.Endpoint{Job: "test", Key: make([]byte, secret.Size)}}
	if rank == 0 {
		cfg.Listener = listener
	} else {
		cfg.Root.Addresses = []string{address}
	}
	return cfg
}

func connect(cfg ame.Config) (*Comm, error) {
	backend, err := ame.Connect(context.Background(), cfg)
	if err != nil {
		return nil, err
	}
	return newComm(backend, newOptions(nil), Info{Rank: cfg.Rank, Size: cfg.Size, Host: cfg.Host, Peers: peersOf(backend)}), nil
}

// startBreakable connects a job by the listener, in memory if it is nil.
func startBreakable(t testing.TB, size int, listener net.Listener) *breakable {
	b := &breakable{comms: make([]*Comm, size), conns: map[int]net.Conn{}}
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	if listener == nil {
		memory := ame.NewMemoryListener()
		listener, dial = memory, memory.Dial
	}
	address := listener.Addr().String()
	errs := make([]error, size)
	var wg sync.WaitGroup
	for rank := range size {
		wg.Go(func() {
			cfg := testConfig(rank, size, address, listener)
			cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
				conn, err := dial(ctx, address)
				b.mu.Lock()
				defer b.mu.Unlock()
				b.conns[rank] = conn
				return conn, err
			}
			b.comms[rank], errs[rank] = connect(cfg)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
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
