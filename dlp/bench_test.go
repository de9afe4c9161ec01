package dlp

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// mapTrivial maps a trivial function over n items b.N times on this rank.
func mapTrivial(ctx context.Context, c *Comm, n, times int) error {
	items := numbers(n)
	double := func(_ context.Context, n int) (int, error) { return 2 * n, nil }
	for range times {
		got := 0
		for _, err := range MapUnordered(ctx, c, items, double) {
			if err != nil {
				return err
			}
			got++
		}
		if c.IsRoot() && got != n {
			return fmt.Errorf("got %d of %d results", got, n)
		}
	}
	return nil
}

const benchItems = 20_000

func reportItems(b *testing.B) {
	b.ReportMetric(float64(benchItems)*float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

// BenchmarkMapUnordered maps a trivial function over 20,000 items on 3 ranks:
// goroutines of one process connected in memory or by TCP, and processes.
func BenchmarkMapUnordered(b *testing.B) {
	inProcess := func(listener net.Listener) func(b *testing.B) {
		return func(b *testing.B) {
			job := startBreakable(b, 3, listener)
			b.ResetTimer()
			for _, err := range job.run(func(c *Comm) error { return mapTrivial(context.Background(), c, benchItems, b.N) }) {
				if err != nil {
					b.Fatal(err)
				}
			}
			reportItems(b)
		}
	}
	b.Run("memory", inProcess(nil))
	b.Run("tcp", func(b *testing.B) { inProcess(listen(b))(b) })
	b.Run("processes", func(b *testing.B) {
		withPeers(b, 3, func(c *Comm) error {
			b.ResetTimer()
			if _, err := Bcast(context.Background(), c, b.N); err != nil {
				return err
			}
			if err := mapTrivial(context.Background(), c, benchItems, b.N); err != nil {
				return err
			}
			reportItems(b)
			return nil
		})
	})
}

const pairedItems = 500_000 // so that opening a file does not count

// BenchmarkJournal is what a Journal costs a map of a trivial function on 3 ranks
// connected by TCP.
func BenchmarkJournal(b *testing.B) {
	benchPairs(b, func(path string) MapOption { return Journal(path) })
}

// BenchmarkTimeline is what a Timeline costs the same map.
func BenchmarkTimeline(b *testing.B) {
	benchPairs(b, func(path string) MapOption { return Timeline(path) })
}

// benchPairs times pairs of the same map without an option and with it, in turn,
// and reports the ratio of the medians. A first pair warms up.
func benchPairs(b *testing.B, option func(path string) MapOption) {
	job := startBreakable(b, 3, listen(b))
	folder := b.TempDir()
	var plain, with []time.Duration
	for rank, err := range job.run(func(c *Comm) error {
		for i := range 1 + b.N {
			for _, opts := range [][]MapOption{nil, {option(filepath.Join(folder, fmt.Sprint(i)))}} {
				start := time.Now()
				for _, err := range MapUnordered(context.Background(), c, numbers(pairedItems), square, opts...) {
					if err != nil {
						return err
					}
				}
				if took := time.Since(start); c.IsRoot() && i > 0 && opts == nil {
					plain = append(plain, took)
				} else if c.IsRoot() && i > 0 {
					with = append(with, took)
				}
			}
		}
		return nil
	}) {
		if err != nil {
			b.Fatal(rank, err)
		}
	}
	b.ReportMetric(float64(median(plain))/float64(median(with)), "rate/plain")
	b.ReportMetric(float64(median(plain))/pairedItems, "plain-ns/item")
	b.ReportMetric(float64(median(with))/pairedItems, "with-ns/item")
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return (times[len(times)/2] + times[(len(times)-1)/2]) / 2
}

// BenchmarkSplitManaged splits 20,000 items that do nothing among 3 ranks.
func BenchmarkSplitManaged(b *testing.B) {
	items := numbers(benchItems)
	job := startBreakable(b, 3, listen(b))
	b.ResetTimer()
	for _, err := range job.run(func(c *Comm) error {
		for range b.N {
			for _, err := range SplitManaged(context.Background(), c, items) {
				if err != nil {
					return err
				}
			}
		}
		return nil
	}) {
		if err != nil {
			b.Fatal(err)
		}
	}
	reportItems(b)
}

// BenchmarkSkewedMap maps 2,000 items of 10 us with one of 50 ms among them,
// first, in the middle or last, and reports the time over the ideal one.
func BenchmarkSkewedMap(b *testing.B) {
	const n, short, long = 2000, 10 * time.Microsecond, 50 * time.Millisecond
	for name, at := range map[string]int{"first": 0, "middle": n / 2, "last": n - 1} {
		b.Run(name, func(b *testing.B) {
			job := startBreakable(b, 3, listen(b))
			b.ResetTimer()
			for _, err := range job.run(func(c *Comm) error {
				for range b.N {
					work := func(_ context.Context, i int) (int, error) {
						if i == at {
							time.Sleep(long)
							return i, nil
						}
						for start := time.Now(); time.Since(start) < short; {
							continue
						}
						return i, nil
					}
					for _, err := range MapUnordered(context.Background(), c, numbers(n), work) {
						if err != nil {
							return err
						}
					}
				}
				return nil
			}) {
				if err != nil {
					b.Fatal(err)
				}
			}
			ideal := max(long, (n*short+long)/2)
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/ideal.Seconds(), "x-ideal")
		})
	}
}

func listen(b testing.TB) net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return listener
}

// peerVariable makes the test binary a rank of a benchmark's job: it holds
// the rank, the size and the address of rank 0.
const peerVariable = "DLP_BENCHMARK_PEER"

// withPeers runs body on rank 0 of a job whose other ranks are processes.
func withPeers(b *testing.B, size int, body func(c *Comm) error) {
	listener := listen(b)
	var peers []*exec.Cmd
	for rank := 1; rank < size; rank++ {
		peer := exec.Command(os.Args[0])
		peer.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %v", peerVariable, rank, size, listener.Addr()))
		peer.Stderr = os.Stderr
		if err := peer.Start(); err != nil {
			b.Fatal(err)
		}
		peers = append(peers, peer)
	}
	c, err := connect(testConfig(0, size, "", listener))
	if err != nil {
		b.Fatal(err)
	}
	if err := body(c); err != nil {
		b.Error(err)
	}
	c.Close()
	for _, peer := range peers {
		if err := peer.Wait(); err != nil {
			b.Error(err)
		}
	}
}

// benchmarkPeer is the main function of the other ranks.
func benchmarkPeer() error {
	var rank, size int
	var address string
	if _, err := fmt.Sscan(os.Getenv(peerVariable), &rank, &size, &address); err != nil {
		return err
	}
	c, err := connect(testConfig(rank, size, address, nil))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx := context.Background()
	times, err := Bcast(ctx, c, 0)
	if err != nil {
		return err
	}
	return mapTrivial(ctx, c, benchItems, times)
}
