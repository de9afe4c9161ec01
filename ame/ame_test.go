package ame

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// TestMain runs the tests, or one rank of a job of processes.
func TestMain(m *testing.M) {
	if task := os.Getenv(rankProcess); task != "" {
		if err := runRankProcess(task); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(deadline.Each(m))
}

// testKey is the key of the jobs in these tests.
var testKey = Key(bytes.Repeat([]byte{0x5a}, 32))

// transport says how the ranks of a test reach each other.
type transport func(tb testing.TB, size int) []Config

// overMemory connects ranks by pipes, overTCP by sockets on loopback.
func overMemory(tb testing.TB, size int) []Config {
	l := NewMemoryListener()
	configs := testConfigs(size)
	configs[0].Listener = l
	for i := range configs[1:] {
		configs[i+1].Root.Addresses, configs[i+1].Dial = []string{"memory"}, l.Dial
	}
	return configs
}

// withConnectionsOnly is by with ranks that expose nothing to each other.
func withConnectionsOnly(by transport) transport {
	return func(tb testing.TB, size int) []Config {
		configs := by(tb, size)
		for i := range configs {
			configs[i].ConnectionsOnly = true
		}
		return configs
	}
}

// overMemoryTelling is overMemory, and appends to told what rank 0 tells its user,
// and after what time.
func overMemoryTelling(told *[]string) transport {
	return func(tb testing.TB, size int) []Config {
		configs, begin := overMemory(tb, size), time.Now()
		configs[0].Stuck = func(text string) { *told = append(*told, fmt.Sprint(time.Since(begin), ": ", text)) }
		return configs
	}
}

func overTCP(tb testing.TB, size int) []Config {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	configs := testConfigs(size)
	configs[0].Listener = l
	for i := range configs[1:] {
		configs[i+1].Root.Addresses = []string{l.Addr().String()}
	}
	return configs
}

// overPairs is overTCP with ranks that take links from each other.
func overPairs(tb testing.TB, size int) []Config {
	configs := overTCP(tb, size)
	for i := range configs[1:] {
		configs[i+1].Listen = listenHere
	}
	return configs
}

// overTLS is overPairs with encryption.
func overTLS(tb testing.TB, size int) []Config {
	configs := overPairs(tb, size)
	for i := range configs {
		configs[i].TLS = true
	}
	return configs
}

func listenHere() (net.Listener, []string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	return l, []string{l.Addr().String()}, nil
}

func testConfigs(size int) []Config {
	configs := make([]Config, size)
	for rank := range configs {
		configs[rank] = Config{Rank: rank, Size: size, Host: "node" + string(rune('a'+rank%26)), Root: Endpoint{Job: "test", Key: testKey}}
	}
	return configs
}

// connectAll brings up a job and closes it when the test ends.
func connectAll(tb testing.TB, by transport, size int) []*Comm {
	tb.Helper()
	comms := make([]*Comm, size)
	errs := make([]error, size)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for rank, cfg := range by(tb, size) {
		wg.Go(func() { comms[rank], errs[rank] = Connect(ctx, cfg) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(tb, err)
	}
	tb.Cleanup(func() { closeAll(comms) })
	return comms
}

func closeAll(comms []*Comm) {
	var wg sync.WaitGroup
	for _, c := range comms {
		wg.Go(func() { c.Close() })
	}
	wg.Wait()
}

// each runs body on all ranks at once and waits for them.
func each(comms []*Comm, body func(c *Comm) error) []error {
	errs := make([]error, len(comms))
	var wg sync.WaitGroup
	for rank, c := range comms {
		wg.Go(func() { errs[rank] = body(c) })
	}
	wg.Wait()
	return errs
}

func noErrors(tb testing.TB, errs []error) {
	tb.Helper()
	for rank, err := range errs {
		assert.NoError(tb, err, "rank %d", rank)
	}
}

// peerOn is a process of this node, whose name is host.
func peerOn(host string, pid int) Peer { return Peer{&Node{host, thisNode()}, pid} }
