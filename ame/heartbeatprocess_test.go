//go:build unix

package ame

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// rankJob is a job of processes that a test stops and continues.
type rankJob struct {
	t     *testing.T
	ranks []*exec.Cmd
	tell  []io.WriteCloser
	hear  *os.File // what the ranks print
	said  []bytes.Buffer
}

func startRanks(t *testing.T, name string, size int) *rankJob {
	deadline.Extend(t, 2*time.Minute)
	out, in, err := os.Pipe()
	require.NoError(t, err)
	j := &rankJob{t: t, hear: out, said: make([]bytes.Buffer, size)}
	j.ranks = rankCommands(t, rankTask{Name: name, Size: size, Heartbeat: time.Second})
	for rank, cmd := range j.ranks {
		cmd.Stdout, cmd.Stderr = in, &j.said[rank]
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		j.tell = append(j.tell, stdin)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill() })
	}
	in.Close()
	t.Cleanup(func() { out.Close() })
	return j
}

// signal sends a signal to some ranks.
func (j *rankJob) signal(s syscall.Signal, ranks ...int) {
	for _, rank := range ranks {
		require.NoError(j.t, j.ranks[rank].Process.Signal(s))
	}
}

// await reads what the ranks print up to a byte for each rank.
func (j *rankJob) await(n int) {
	_, err := io.ReadFull(j.hear, make([]byte, n))
	require.NoError(j.t, err)
}

// ends waits for a rank and returns its status and what it has said.
func (j *rankJob) ends(rank int) (status int, said string) {
	j.ranks[rank].Wait()
	return j.ranks[rank].ProcessState.ExitCode(), j.said[rank].String()
}

// allWell waits for all ranks, of which none may have lost another one.
func (j *rankJob) allWell() {
	for rank := range j.ranks {
		status, said := j.ends(rank)
		assert.Zero(j.t, status, "rank %d: %s", rank, said)
	}
}

// busyRank keeps rank 1 from doing anything but compute, and rank 2 from
// anything but collect garbage, for ten times the heartbeat.
func busyRank(c *Comm, _ net.Conn, _ int) (metrics, error) {
	const busy = 10 * time.Second
	end := time.Now().Add(busy)
	switch c.Rank() {
	case 1:
		var sink atomic.Uint64
		for range runtime.GOMAXPROCS(0) {
			go func() {
				for n := uint64(0); ; n++ {
					sink.Store(n * n)
				}
			}()
		}
		time.Sleep(busy)
	case 2:
		heap := map[int]*[]*int{}
		for i := 0; time.Now().Before(end); i++ {
			many := make([]*int, 1<<16)
			for k := range many {
				many[k] = new(int)
			}
			heap[i%32] = &many
			runtime.GC()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return metrics{}, c.Barrier(ctx)
}

// meetUntilTold lets the ranks meet again and again until rank 0's standard
// input ends.
func meetUntilTold(c *Comm, _ net.Conn, _ int) (metrics, error) {
	var told atomic.Bool
	if c.Rank() == 0 {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			told.Store(true)
		}()
	}
	ctx := context.Background()
	for first := true; ; first = false {
		var p Payload
		if told.Load() {
			p = text("enough")
		}
		p, err := c.Bcast(ctx, Call{}, p)
		if err != nil || len(p.Body) > 0 {
			return metrics{}, err
		}
		if err := c.Barrier(ctx); err != nil {
			return nil, err
		}
		if first {
			fmt.Print("+")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// loseOne waits until rank 2 is lost, and shows then that the others go on for
// as long as rank 0's standard input is open.
func loseOne(c *Comm, _ net.Conn, _ int) (metrics, error) {
	ctx := context.Background()
	d, err := c.DupTolerant(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.Barrier(ctx); err != nil {
		return nil, err
	}
	fmt.Print("+")
	if c.Rank() == 2 {
		_, err := c.Recv(ctx, 0, 1)
		return nil, err
	}
	if err = c.Barrier(ctx); !errors.Is(err, ErrLost) {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, err)
	fmt.Print("-")
	if c.Rank() == 1 {
		_, err := d.Recv(ctx, 0, 1)
		return nil, err
	}
	io.Copy(io.Discard, os.Stdin)
	return metrics{}, d.Send(ctx, 1, 1, text("still here"))
}

func TestBusyRanksAreNotLost(t *testing.T) {
	startRanks(t, "busy", 3).allWell()
}

func TestAllRanksStopped(t *testing.T) {
	j := startRanks(t, "meet", 4)
	j.await(4)
	j.signal(syscall.SIGSTOP, 0, 1, 2, 3)
	time.Sleep(6 * time.Second) // the fault
	j.signal(syscall.SIGCONT, 3, 1, 2, 0)
	time.Sleep(2 * time.Second) // in which one could be missed
	j.tell[0].Close()
	j.allWell()
}

func TestOneRankStopped(t *testing.T) {
	j := startRanks(t, "lose one", 3)
	j.await(3)
	j.signal(syscall.SIGSTOP, 2)
	j.await(2)
	j.signal(syscall.SIGCONT, 2)
	status, said := j.ends(2)
	assert.Equal(t, 1, status)
	assert.Regexp(t, `rank 2 on \S+: lost: rank 0 has given it up: no sign of life for 1s .*; this process had stood still for \d`, said)
	j.tell[0].Close()
	for rank := range 2 {
		status, said := j.ends(rank)
		assert.Zero(t, status, "rank %d: %s", rank, said)
		assert.Regexp(t, fmt.Sprintf(`rank 2 on \S+: lost: no sign of life for 1s \(pid %d\)`, j.ranks[2].Process.Pid), said)
		assert.Equal(t, 1, strings.Count(said, "\n"), said)
	}
}

func TestRankZeroStopped(t *testing.T) {
	j := startRanks(t, "meet", 4)
	j.await(4)
	j.signal(syscall.SIGSTOP, 0)
	for rank := 1; rank < 4; rank++ {
		status, said := j.ends(rank)
		assert.Equal(t, 1, status)
		assert.Regexp(t, fmt.Sprintf(`rank %d: rank 0 on \S+: lost: no sign of life for 1s`, rank), said)
	}
	j.signal(syscall.SIGCONT, 0)
	status, said := j.ends(0)
	assert.Equal(t, 1, status)
	assert.Contains(t, said, "lost")
}
