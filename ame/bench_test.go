package ame

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkPingPong compares an 8 byte round trip between rank 0 and 1 with
// that of two goroutines on a plain TCP connection.
func BenchmarkPingPong(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(b, err)
		defer l.Close()
		var wg sync.WaitGroup
		wg.Go(func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			buf := make([]byte, 8)
			for {
				if _, err := io.ReadFull(conn, buf); err != nil {
					return
				}
				conn.Write(buf)
			}
		})
		conn, err := net.Dial("tcp", l.Addr().String())
		require.NoError(b, err)
		buf := make([]byte, 8)
		for b.Loop() {
			conn.Write(buf)
			if _, err := io.ReadFull(conn, buf); err != nil {
				b.Fatal(err)
			}
		}
		conn.Close()
		wg.Wait()
	})
	for _, cancellable := range []bool{false, true} {
		b.Run(fmt.Sprintf("ame/cancellable=%v", cancellable), func(b *testing.B) {
			comms := connectAll(b, overTCP, 2)
			ctx := context.Background()
			if cancellable {
				var cancel context.CancelFunc
				ctx, cancel = context.WithCancel(ctx)
				defer cancel()
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					m, err := comms[1].Recv(ctx, 0, AnyTag)
					if err != nil || m.Tag == 2 {
						return
					}
					comms[1].Send(ctx, 0, 1, m.Payload)
				}
			})
			p := Payload{Body: make([]byte, 8)}
			for b.Loop() {
				if err := comms[0].Send(ctx, 1, 1, p); err != nil {
					b.Fatal(err)
				}
				if _, err := comms[0].Recv(ctx, 1, 1); err != nil {
					b.Fatal(err)
				}
			}
			comms[0].Send(ctx, 1, 2, p)
			wg.Wait()
		})
	}
}

// BenchmarkBarrier is of 4 ranks.
func BenchmarkBarrier(b *testing.B) {
	comms := connectAll(b, overTCP, 4)
	n := b.N
	b.ResetTimer()
	noErrors(b, each(comms, func(c *Comm) error {
		for range n {
			if err := c.Barrier(context.Background()); err != nil {
				return err
			}
		}
		return nil
	}))
}

// BenchmarkLarge moves 64 MiB between rank 0 and each of 3 others; the rate
// counts what all ranks receive together.
func BenchmarkLarge(b *testing.B) {
	const size, length = 4, 64 << 20
	for name, op := range map[string]func(c *Comm, p Payload) error{
		"bcast":  func(c *Comm, p Payload) error { _, err := c.Bcast(context.Background(), p); return err },
		"gather": func(c *Comm, p Payload) error { _, err := c.Gather(context.Background(), p); return err },
	} {
		b.Run(name, func(b *testing.B) {
			comms := connectAll(b, overTCP, size)
			p := Payload{Body: make([]byte, length)}
			b.SetBytes((size - 1) * length)
			n := b.N
			b.ResetTimer()
			noErrors(b, each(comms, func(c *Comm) error {
				for range n {
					if err := op(c, p); err != nil {
						return err
					}
					if err := c.Barrier(context.Background()); err != nil {
						return err
					}
				}
				return nil
			}))
		})
	}
}

// BenchmarkConnect brings up a job of 1,000 ranks in one process.
func BenchmarkConnect(b *testing.B) {
	const size = 1000
	for range b.N {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		comms := connectAll(b, overTCP, size)
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		used := after.HeapInuse + after.StackInuse - before.HeapInuse - before.StackInuse
		b.ReportMetric(float64(used)/(size-1)/1024, "KiB/connection")
		closeAll(comms)
		b.StartTimer()
	}
}
