package ame

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Benchmarks, and tests of what only processes do, run each rank as a process:
// the test binary, told by its environment to be one.

// rankBody is what each rank runs, for n operations. Ranks 0 and 1 share a
// plain connection. Rank 0's result counts.
type rankBody func(c *Comm, plain net.Conn, n int) (metrics, error)

// metrics are results by unit.
type metrics map[string]float64

var rankBodies = map[string]rankBody{
	"pingpong": benchPingPong, "barrier": benchBarrier, "bcast": benchBcast, "gather": benchGather,
	"barrier holds": barrierHolds, "crash in barrier": crashInBarrier,
	"long body": receiveLongBody,
	"flooded":   floodedRank, "idle": benchIdle, "busy": busyRank, "meet": meetUntilTold, "lose one": loseOne,
}

// rankProcess is the environment variable that makes the test binary a rank;
// its value is a rankTask.
const rankProcess = "AME_TEST_RANK"

type rankTask struct {
	Name       string
	Rank, Size int
	N          int
	Root       string // address of rank 0
	Plain      string // where rank 0 waits for the plain connection
	Heartbeat  time.Duration
	TLS        bool
	Ahead      uint64 // longest body that is allocated as a whole, in bytes; 0: as ever
}

// runProcesses runs a body with each rank in a process of its own.
func runProcesses(tb testing.TB, name string, size, n int) metrics {
	return runTask(tb, rankTask{Name: name, Size: size, N: n})
}

func runTask(tb testing.TB, task rankTask) metrics {
	var out strings.Builder
	ranks := rankCommands(tb, task)
	ranks[0].Stdout = &out
	for rank, cmd := range ranks {
		require.NoError(tb, cmd.Start(), "rank %d", rank)
	}
	for rank, cmd := range ranks {
		require.NoError(tb, cmd.Wait(), "rank %d", rank)
	}
	var m metrics
	require.NoError(tb, json.Unmarshal([]byte(out.String()), &m), out.String())
	return m
}

// rankCommands are the ranks of a job, not started yet.
func rankCommands(tb testing.TB, task rankTask) []*exec.Cmd {
	root, plain := listenFile(tb), listenFile(tb)
	task.Root, task.Plain = root.address, plain.address
	ranks := make([]*exec.Cmd, task.Size)
	for rank := range ranks {
		task.Rank = rank
		text, err := json.Marshal(task)
		require.NoError(tb, err)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), rankProcess+"="+string(text))
		cmd.Stderr = os.Stderr
		if rank == 0 {
			cmd.ExtraFiles = []*os.File{root.file, plain.file}
		}
		ranks[rank] = cmd
	}
	return ranks
}

// taskOf is what a rank of rankCommands is told.
func taskOf(tb testing.TB, rank *exec.Cmd) (task rankTask) {
	spec := strings.TrimPrefix(rank.Env[len(rank.Env)-1], rankProcess+"=")
	require.NoError(tb, json.Unmarshal([]byte(spec), &task))
	return task
}

// listening is an open listener in the form that a child process inherits.
type listening struct {
	file    *os.File
	address string
}

func listenFile(tb testing.TB) listening {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	require.NoError(tb, err)
	tb.Cleanup(func() { file.Close() })
	return listening{file, l.Addr().String()}
}

// runRankProcess is the main function of a rank in its own process.
func runRankProcess(spec string) error {
	var task rankTask
	if err := json.Unmarshal([]byte(spec), &task); err != nil {
		return err
	}
	if task.Ahead > 0 {
		defaultBounds.ahead = task.Ahead
	}
	cfg := Config{Rank: task.Rank, Size: task.Size, Root: Endpoint{Job: "test", Key: testKey, Addresses: []string{task.Root}}, Heartbeat: task.Heartbeat, TLS: task.TLS}
	var plain net.Listener
	var err error
	if task.Rank == 0 {
		if cfg.Listener, err = net.FileListener(os.NewFile(3, "root")); err != nil {
			return err
		}
		if plain, err = net.FileListener(os.NewFile(4, "plain")); err != nil {
			return err
		}
	}
	m, err := runRank(cfg, task.Name, plain, task.Plain, task.N)
	if err == nil && task.Rank == 0 {
		err = json.NewEncoder(os.Stdout).Encode(m)
	}
	return err
}

func runRank(cfg Config, name string, plain net.Listener, address string, n int) (metrics, error) {
	c, err := Connect(context.Background(), cfg)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var conn net.Conn
	switch cfg.Rank {
	case 0:
		defer plain.Close()
		conn, err = plain.Accept()
	case 1:
		conn, err = net.Dial("tcp", address)
	}
	if err != nil {
		return nil, err
	}
	if conn != nil {
		defer conn.Close()
	}
	return rankBodies[name](c, conn, n)
}
