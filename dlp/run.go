package dlp

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"sync"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/internal/secret"
)

// Run runs body on n ranks that are goroutines of this process, and waits for
// all of them: for tests, examples and laptops. Each rank gets its own Comm,
// which Run closes. When a body returns an error, the calls of the other
// ranks fail, so that they can end too; Run returns the error that came
// first, or that of a Close if there was none. A panic in a body is passed on to Run's caller, once the other
// ranks have ended. Ranks that wait for each other for ever get an error that says
// where, within a second; where a goroutine of the process might still act, a line
// on stderr says so after 10 s.
func Run(ctx context.Context, n int, body func(ctx context.Context, c *Comm) error, opts ...Option) error {
	if n < 1 {
		return fmt.Errorf("dlp: run: %d ranks, at least 1 is needed", n)
	}
	r := &run{size: n, options: newOptions(opts), listener: ame.NewMemoryListener(), key: secret.New()}
	r.host, _ = os.Hostname()
	r.options.timeline = os.Getenv(timelineVariable)
	var wg sync.WaitGroup
	for rank := range n {
		wg.Go(func() { r.rank(ctx, rank, body) })
	}
	wg.Wait()
	if r.panicked != nil {
		panic(r.panicked)
	}
	return r.err
}

// run is what the ranks of one Run share.
type run struct {
	options
	size     int
	host     string
	listener *ame.MemoryListener
	key      secret.Key

	mu       sync.Mutex
	err      error     // of the body that failed first
	panicked *RunPanic // of the body that panicked first
}

// RunPanic is what Run panics with when a body has panicked.
type RunPanic struct {
	Rank  int
	Value any    // of the original panic
	Stack []byte // of the goroutine that panicked
}

func (p *RunPanic) String() string {
	return fmt.Sprintf("rank %d: %v\n\n%s", p.Rank, p.Value, p.Stack)
}

// Error makes an uncaught RunPanic print its text.
func (p *RunPanic) Error() string { return p.String() }

func (r *run) rank(ctx context.Context, rank int, body func(ctx context.Context, c *Comm) error) {
	c, err := r.connect(ctx, rank)
	if err != nil {
		r.failed(err)
		return
	}
	finished := false
	defer func() {
		if !finished {
			err = r.unfinished(rank, recover())
		}
		if err != nil {
			r.failed(err)
			c.Abort(err)
		}
		if left := c.Close(); err == nil && left != nil {
			r.failed(left)
		}
	}()
	err = body(ctx, c)
	finished = true
}

// unfinished records why a body did not return: by a panic with a value, or
// by runtime.Goexit, as from t.FailNow, if there is none.
func (r *run) unfinished(rank int, value any) error {
	if value == nil {
		return fmt.Errorf("dlp: run: rank %d: %w", rank, errGoexit)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.panicked == nil {
		r.panicked = &RunPanic{Rank: rank, Value: value, Stack: debug.Stack()}
	}
	return fmt.Errorf("dlp: run: rank %d: panic: %v", rank, value)
}

func (r *run) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func (r *run) connect(ctx context.Context, rank int) (*Comm, error) {
	job := fmt.Sprintf("run-%d-%p", os.Getpid(), r)
	cfg := ame.Config{Rank: rank, Size: r.size, Host: r.host, Root: ame.Endpoint{Job: job, Key: r.key.Bytes()}, Logger: r.logger, Stuck: tellWaiting, OneProcess: true}
	if rank == 0 {
		cfg.Listener = r.listener
	} else {
		cfg.Root.Addresses, cfg.Dial = []string{"memory"}, r.listener.Dial
	}
	backend, err := ame.Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return newComm(backend, r.options, Info{
		Rank: rank, Size: r.size, Method: "run", Job: job, Host: r.host,
		LocalRank: rank, LocalSize: r.size, Peers: peersOf(backend),
	}), nil
}
