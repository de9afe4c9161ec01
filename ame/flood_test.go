package ame

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// strangers knock at an address, many at a time, as long as they are wanted.
type strangers struct {
	calls  atomic.Int64
	active sync.WaitGroup
}

const (
	knockers       = 16  // that knock at the same time
	heldByKnocker  = 120 // connections that each of them keeps open
	wantedCalls    = 10_000
	moreMemoryMost = 32 << 10 // KiB, for all of them
)

// knock opens a connection after the other, of which one says nothing, one sends
// garbage, and one a byte now and then.
func (s *strangers) knock(ctx context.Context, address string) {
	for range knockers {
		s.active.Go(func() {
			held := make([]net.Conn, heldByKnocker)
			for i := 0; ; i++ {
				conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
				if ctx.Err() != nil {
					for _, conn := range append(held, conn) {
						if conn != nil {
							conn.Close()
						}
					}
					return
				}
				if err != nil {
					continue // the listener is behind, or gone
				}
				s.calls.Add(1)
				slot := &held[i%heldByKnocker]
				if *slot != nil {
					(*slot).Close()
				}
				*slot = conn
				switch i % 3 {
				case 1:
					garbage := make([]byte, 300)
					rand.Read(garbage)
					conn.Write(garbage)
				case 2:
					conn.Write([]byte{'A'})
					if before := held[(i+1)%heldByKnocker]; before != nil {
						before.Write([]byte{'M'})
					}
				}
			}
		})
	}
}

// wait waits until so many have knocked.
func (s *strangers) wait(t *testing.T, calls int64) {
	require.Eventually(t, func() bool { return s.calls.Load() > calls }, 3*time.Minute, time.Millisecond)
}

// floodedRank works until rank 0's stdin ends, and says what that one's highest
// memory was.
func floodedRank(c *Comm, _ net.Conn, _ int) (metrics, error) {
	ctx := context.Background()
	var over atomic.Bool
	if c.Rank() == 0 {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			over.Store(true)
		}()
	}
	for more := true; more; {
		p, err := c.Bcast(ctx, Call{}, Payload{Body: fmt.Appendf(nil, "%t", over.Load())})
		if err == nil {
			err = c.Barrier(ctx)
		}
		if err != nil {
			return nil, err
		}
		more = string(p.Body) == "false"
	}
	return metrics{"peak-KiB": float64(peakMemory() >> 10)}, nil
}

// A job starts and works while strangers flood its listener, and they cost rank 0
// little memory.
func TestFloodOfStrangers(t *testing.T) {
	for name, encrypted := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) { floodOfStrangers(t, encrypted) })
	}
}

func floodOfStrangers(t *testing.T, encrypted bool) {
	deadline.Extend(t, 5*time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	run := func(s *strangers) (peak float64, took time.Duration) {
		ranks := rankCommands(t, rankTask{Name: "flooded", Size: 3, TLS: encrypted})
		var out strings.Builder
		ranks[0].Stdout = &out
		end, err := ranks[0].StdinPipe()
		require.NoError(t, err)
		require.NoError(t, ranks[0].Start())
		if s != nil {
			s.knock(ctx, taskOf(t, ranks[0]).Root)
			s.wait(t, wantedCalls/3)
		}
		begin := time.Now()
		for _, cmd := range ranks[1:] {
			cmd.Stdout = os.Stderr
			require.NoError(t, cmd.Start())
		}
		if s != nil {
			s.wait(t, wantedCalls)
		}
		end.Close()
		for rank, cmd := range ranks {
			require.NoError(t, cmd.Wait(), "rank %d", rank)
		}
		took = time.Since(begin)
		var m metrics
		require.NoError(t, json.Unmarshal([]byte(out.String()), &m), out.String())
		return m["peak-KiB"], took
	}
	quiet, took := run(nil)
	var s strangers
	flooded, longer := run(&s)
	stop()
	s.active.Wait()
	t.Logf("%d strangers: rank 0 took %.0f KiB in place of %.0f, the job %v in place of %v", s.calls.Load(), flooded, quiet, longer, took)
	if !underRaceDetector() {
		assert.Less(t, flooded-quiet, float64(moreMemoryMost))
	}
}
