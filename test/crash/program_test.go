package crash

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/dlp-mpi/dlp-go/dlp"
)

// Variables of the program that the ranks run.
const (
	phaseVariable = "CRASH_PHASE" // in which the victim is killed
	rankVariable  = "CRASH_RANK"  // the victim
	aliveVariable = "CRASH_ALIVE" // a file that each process keeps a lock of
)

// program is what the ranks run. Whoever is no victim says what it ends with.
func program(phase string) (status int) {
	alive, err := os.Open(os.Getenv(aliveVariable))
	if err == nil {
		err = syscall.Flock(int(alive.Fd()), syscall.LOCK_SH)
	}
	if err != nil {
		fmt.Println(err)
		return 2
	}
	defer alive.Close()
	rank := launched()
	victim := os.Getenv(rankVariable) == strconv.Itoa(rank)
	if victim && starts[phase] != nil {
		err = starts[phase](context.Background())
	} else {
		err = member(phase, victim)
	}
	fmt.Printf("rank %d ends: %q\n", rank, fmt.Sprint(err))
	if err != nil {
		return 1
	}
	return 0
}

// launched is this process's rank as its launcher tells it.
func launched() int {
	for _, name := range []string{"AME_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK"} {
		if rank, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return rank
		}
	}
	return -1
}

// die is a crash.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // does not return
	select {}
}

// member is a rank that comes up, and is then killed if it is the victim.
func member(phase string, victim bool) error {
	ctx := context.Background()
	world, err := dlp.Init(ctx, dlp.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	if err != nil {
		return err
	}
	defer world.Close()
	if loop := loops[phase]; loop != nil {
		return loop(ctx, world, victim)
	}
	if phase == "close" {
		err := world.Barrier(ctx)
		if victim {
			go die()
		}
		return errors.Join(err, world.Close())
	}
	// The victim dies somewhere in one of many calls.
	var rounds atomic.Int32
	if victim {
		go func() {
			for rounds.Load() < 50 {
				time.Sleep(time.Microsecond)
			}
			die()
		}()
	}
	for {
		if err := collectives[phase](ctx, world); err != nil {
			return err
		}
		rounds.Add(1)
	}
}

// starts are the phases before a rank is a member, as the victim goes through
// them.
var starts = map[string]func(context.Context) error{
	"before bootstrap": func(context.Context) error { die(); return nil },
	"between publish and connect": func(ctx context.Context) error {
		_, _, err := bootstrap.Find(ctx, os.LookupEnv)
		if err == nil {
			die()
		}
		return err
	},
	"in the handshake": func(ctx context.Context) error {
		world, _, err := bootstrap.Find(ctx, os.LookupEnv)
		if err != nil {
			return err
		}
		cfg := ame.Config{Rank: world.Rank, Size: world.Size, Root: ame.Endpoint{
			Job: world.Root.Job, Key: world.Root.Key.Bytes(), Host: world.Root.Host, Addresses: world.Root.Addresses,
		}}
		if cfg.Rank == 0 {
			cfg.Listener = mortalListener{world.Listener}
		}
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			return &mortal{Conn: conn}, err
		}
		_, err = ame.Connect(ctx, cfg)
		return err
	},
}

// mortal is a connection whose process dies in place of its second write: an
// opener's proof, or a listener's verdict.
type mortal struct {
	net.Conn
	writes atomic.Int32
}

func (m *mortal) Write(b []byte) (int, error) {
	if m.writes.Add(1) == 2 {
		die()
	}
	return m.Conn.Write(b)
}

type mortalListener struct{ net.Listener }

func (m mortalListener) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	return &mortal{Conn: conn}, err
}

func sum(a, b int) int { return a + b }

// collectives are all of them, with bodies that travel in several ways.
var collectives = map[string]func(context.Context, *dlp.Comm) error{
	"barrier": func(ctx context.Context, c *dlp.Comm) error { return c.Barrier(ctx) },
	"dup": func(ctx context.Context, c *dlp.Comm) error {
		d, err := c.Dup(ctx)
		if err == nil {
			err = d.Close()
		}
		return err
	},
	"split": func(ctx context.Context, c *dlp.Comm) error {
		d, err := c.Split(ctx, c.Rank()%2, 0)
		if err == nil {
			err = d.Close()
		}
		return err
	},
	"bcast":      func(ctx context.Context, c *dlp.Comm) error { return second(dlp.Bcast(ctx, c, 1)) },
	"long bcast": func(ctx context.Context, c *dlp.Comm) error { return second(dlp.Bcast(ctx, c, long)) },
	"gather":     func(ctx context.Context, c *dlp.Comm) error { return second(dlp.Gather(ctx, c, long)) },
	"scatter": func(ctx context.Context, c *dlp.Comm) error {
		return second(dlp.Scatter(ctx, c, make([]int, c.Size())))
	},
	"allgather": func(ctx context.Context, c *dlp.Comm) error { return second(dlp.Allgather(ctx, c, 1)) },
	"alltoall": func(ctx context.Context, c *dlp.Comm) error {
		return second(dlp.Alltoall(ctx, c, make([]int, c.Size())))
	},
	"reduce":    func(ctx context.Context, c *dlp.Comm) error { return second(dlp.Reduce(ctx, c, 1, sum)) },
	"allreduce": func(ctx context.Context, c *dlp.Comm) error { return second(dlp.Allreduce(ctx, c, 1, sum)) },
	"scan":      func(ctx context.Context, c *dlp.Comm) error { return second(dlp.Scan(ctx, c, 1, sum)) },
	"exscan":    func(ctx context.Context, c *dlp.Comm) error { return second(dlp.Exscan(ctx, c, 1, sum)) },
	"reduce scatter": func(ctx context.Context, c *dlp.Comm) error {
		return second(dlp.ReduceScatter(ctx, c, make([]int, c.Size()), sum))
	},
}

// long is a body that travels in chunks.
var long = strings.Repeat("long", 1<<19)

func second[T any](_ T, err error) error { return err }

// itemTime is how long an item takes, so that every rank gets some.
const itemTime = 2 * time.Millisecond

// loops are the managed ones, in the middle of which the victim dies.
var loops = map[string]func(ctx context.Context, c *dlp.Comm, victim bool) error{
	"map": func(ctx context.Context, c *dlp.Comm, victim bool) error {
		work := func(_ context.Context, i int) (int, error) {
			if victim {
				die()
			}
			time.Sleep(itemTime)
			return i, nil
		}
		for _, err := range dlp.MapUnordered(ctx, c, make([]int, 200), work, dlp.OnLoss(dlp.Fail)) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"split loop": func(ctx context.Context, c *dlp.Comm, victim bool) error {
		for _, err := range dlp.SplitManaged(ctx, c, make([]int, 200)) {
			if victim {
				die()
			}
			if err != nil {
				return err
			}
			time.Sleep(itemTime)
		}
		return nil
	},
}
