package ame

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The benchmarks run their ranks as processes, as users do, and once more as
// goroutines of one process. What is compared is measured by turns in one run,
// so that the ratios mean something on a machine that does other things too.

// BenchmarkPingPong compares 8 bytes to and fro between ranks 0 and 1 with
// the same on a plain TCP connection of theirs.
func BenchmarkPingPong(b *testing.B) { benchBoth(b, "pingpong", 2) }

// BenchmarkBarrier compares a barrier of 4 ranks with the ping-pong of two.
func BenchmarkBarrier(b *testing.B) { benchBoth(b, "barrier", 4) }

// BenchmarkLarge moves 64 MiB between rank 0 and each of 3 others. The rate
// counts what all ranks receive together.
func BenchmarkLarge(b *testing.B) {
	b.Run("bcast", func(b *testing.B) { benchBoth(b, "bcast", 4) })
	b.Run("gather", func(b *testing.B) { benchBoth(b, "gather", 4) })
}

func benchBoth(b *testing.B, name string, size int) {
	b.Run("processes", func(b *testing.B) { report(b, runProcesses(b, name, size, b.N)) })
	b.Run("goroutines", func(b *testing.B) { report(b, benchGoroutines(b, name, size, b.N)) })
}

func report(b *testing.B, m metrics) {
	for unit, value := range m {
		b.ReportMetric(value, unit)
	}
}

// benchGoroutines runs a benchmark with all ranks in this process.
func benchGoroutines(b *testing.B, name string, size, n int) metrics {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	results := make([]metrics, size)
	errs := make([]error, size)
	var wg sync.WaitGroup
	for rank, cfg := range overTCP(b, size) {
		wg.Go(func() { results[rank], errs[rank] = runRank(cfg, name, plain, plain.Addr().String(), n) })
	}
	wg.Wait()
	noErrors(b, errs)
	delete(results[0], "MiB-over-payload") // of all ranks here
	return results[0]
}

// byTurns runs each of the operations n times, in many short rounds, and
// returns for each the lower quartile over the rounds of the time of one, in
// nanoseconds: other programs disturb some rounds and only ever lengthen them.
func byTurns(n int, operations ...func() error) ([]float64, error) {
	rounds := min(n, 40)
	n /= rounds
	times := make([][]float64, len(operations))
	for range rounds {
		for i, operation := range operations {
			start := time.Now()
			for range n {
				if err := operation(); err != nil {
					return nil, err
				}
			}
			times[i] = append(times[i], float64(time.Since(start).Nanoseconds())/float64(n))
		}
	}
	quartiles := make([]float64, len(operations))
	for i, t := range times {
		slices.Sort(t)
		quartiles[i] = t[len(t)/4]
	}
	return quartiles, nil
}

// plainTurn is one round trip of 8 bytes without this package.
func plainTurn(rank int, conn net.Conn) func() error {
	buf := make([]byte, 8)
	return func() error {
		if rank == 0 {
			conn.Write(buf)
		}
		_, err := io.ReadFull(conn, buf)
		if rank == 1 {
			conn.Write(buf)
		}
		return err
	}
}

// ameTurn is the same with it. Ranks but 0 and 1 do nothing.
func ameTurn(c *Comm) func() error {
	ctx := context.Background()
	p := Payload{Body: make([]byte, 8)}
	return func() error {
		switch c.Rank() {
		case 0:
			if err := c.Send(ctx, 1, 1, p); err != nil {
				return err
			}
			_, err := c.Recv(ctx, 1, 1)
			return err
		case 1:
			m, err := c.Recv(ctx, 0, 1)
			if err != nil {
				return err
			}
			return c.Send(ctx, 0, 1, m.Payload)
		}
		return nil
	}
}

func benchPingPong(c *Comm, plain net.Conn, n int) (metrics, error) {
	times, err := byTurns(n, plainTurn(c.Rank(), plain), ameTurn(c))
	if err != nil {
		return nil, err
	}
	return metrics{"ns/op": times[1], "plain-ns": times[0], "x-plain": times[1] / times[0]}, nil
}

func benchBarrier(c *Comm, _ net.Conn, n int) (metrics, error) {
	times, err := byTurns(n, ameTurn(c), func() error { return c.Barrier(context.Background()) })
	if err != nil {
		return nil, err
	}
	return metrics{"ns/op": times[1], "pingpong-ns": times[0], "x-pingpong": times[1] / times[0]}, nil
}

const benchLength = 64 << 20

func benchBcast(c *Comm, _ net.Conn, n int) (metrics, error) {
	return benchLarge(c, n, c.Rank() == 0, func(p Payload) error { _, err := c.Bcast(context.Background(), Call{}, p); return err })
}

func benchGather(c *Comm, _ net.Conn, n int) (metrics, error) {
	return benchLarge(c, n, true, func(p Payload) error { _, err := c.Gather(context.Background(), Call{}, p); return err })
}

func benchLarge(c *Comm, n int, sends bool, operation func(Payload) error) (metrics, error) {
	var p Payload
	if sends {
		p.Body = bytes.Repeat([]byte{1}, benchLength)
	}
	start := time.Now()
	for range n {
		if err := operation(p); err != nil {
			return nil, err
		}
		if err := c.Barrier(context.Background()); err != nil {
			return nil, err
		}
	}
	ns := float64(time.Since(start).Nanoseconds()) / float64(n)
	m := metrics{"ns/op": ns, "GB/s": float64((c.Size()-1)*benchLength) / ns}
	if peak := peakMemory(); peak > 0 && c.Rank() == 0 {
		m["MiB-peak"] = float64(peak) / (1 << 20)
	}
	return m, nil
}

// peakMemory is the most that this process has had resident, in bytes; 0
// where the system does not say.
func peakMemory() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib << 10
		}
	}
	return 0
}

// BenchmarkConnect brings up a job of 1,000 ranks in one process.
func BenchmarkConnect(b *testing.B) {
	for range b.N {
		comms := connectAll(b, overTCP, 1000)
		b.StopTimer()
		closeAll(comms)
		b.StartTimer()
	}
}

// BenchmarkIdle is rank 0 in a process of its own while nothing happens: how much
// memory a connection takes, and how much of a core all of them, with heartbeats.
func BenchmarkIdle(b *testing.B) {
	for _, size := range []int{101, 1001} {
		b.Run(fmt.Sprint(size-1, " connections"), func(b *testing.B) {
			task := rankTask{Name: "idle", Size: size, N: 10, Heartbeat: 10 * time.Second}
			var out strings.Builder
			root := rankCommands(b, task)[0]
			root.Stdout = &out
			require.NoError(b, root.Start())
			task = taskOf(b, root)
			comms := connectAll(b, func(testing.TB, int) []Config {
				configs := testConfigs(size)[1:]
				for i := range configs {
					configs[i].Root.Addresses = []string{task.Root}
				}
				return configs
			}, size-1)
			conn, err := net.Dial("tcp", task.Plain)
			require.NoError(b, err)
			defer conn.Close()
			noErrors(b, each(comms, func(c *Comm) error { return c.Barrier(context.Background()) }))
			closeAll(comms)
			require.NoError(b, root.Wait())
			var m metrics
			require.NoError(b, json.Unmarshal([]byte(out.String()), &m), out.String())
			for unit, value := range m {
				b.ReportMetric(value, unit)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// benchIdle is its rank 0, for n seconds.
func benchIdle(c *Comm, _ net.Conn, n int) (metrics, error) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	used := m.HeapInuse + m.StackInuse
	time.Sleep(time.Second) // for the start-up's timers to end
	before, start := cpuTime(), time.Now()
	time.Sleep(time.Duration(n) * time.Second)
	cpu, passed := cpuTime()-before, time.Since(start)
	return metrics{
		"KiB/connection": float64(used) / 1024 / float64(c.Size()-1), "%-of-a-core": 100 * float64(cpu) / float64(passed),
	}, c.Barrier(context.Background())
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
