package dlp

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// mainJob is a program on several ranks of this process.
type mainJob struct {
	job     *breakable
	signals []chan os.Signal
	grace   time.Duration
	stderr  []bytes.Buffer
	status  []int
	ended   []chan struct{} // by rank
}

func startMain(t *testing.T, size int) *mainJob {
	m := &mainJob{job: startBreakable(t, size, nil), grace: time.Hour, stderr: make([]bytes.Buffer, size), status: make([]int, size)}
	for range size {
		m.signals = append(m.signals, make(chan os.Signal, 2))
		m.ended = append(m.ended, make(chan struct{}))
	}
	return m
}

// run runs body on all ranks, and returns what they have printed together.
func (m *mainJob) run(body func(ctx context.Context, world *Comm) error) (stderr string) {
	var wg sync.WaitGroup
	for rank := range m.status {
		wg.Go(func() {
			defer close(m.ended[rank])
			p := mainRank{name: "prog", stderr: &m.stderr[rank], signals: m.signals[rank], grace: m.grace}
			m.status[rank] = p.run(func(context.Context) (*Comm, error) { return m.job.comms[rank], nil }, body)
		})
	}
	wg.Wait()
	for i := range m.stderr {
		stderr += m.stderr[i].String()
	}
	return stderr
}

type exitError struct{ error }

func (exitError) ExitCode() int { return 7 }

// Whatever ends a job is printed once.
func TestMainPrintsAnErrorOnce(t *testing.T) {
	tests := []struct {
		name   string
		body   func(ctx context.Context, world *Comm) error
		stderr string
		status []int
	}{
		{"none", func(ctx context.Context, world *Comm) error { return world.Barrier(ctx) }, "^$", []int{0, 0, 0}},
		{"of one rank", func(ctx context.Context, world *Comm) error {
			if world.Rank() == 2 {
				return exitError{errors.New("disk full")}
			}
			return world.Barrier(ctx)
		}, "^prog: rank 2 on node2: disk full\n$", []int{1, 1, 7}},
		{"of work", func(ctx context.Context, world *Comm) error {
			for _, err := range MapUnordered(ctx, world, numbers(3), func(_ context.Context, i int) (int, error) { return 0, errOdd }) {
				return err
			}
			return nil
		}, `^prog: rank 0 on node0: dlp: map: rank 0: (item \d on rank \d \(node\d\): odd one out\n)+$`, []int{1, 1, 1}},
		{"panic of work", func(ctx context.Context, world *Comm) error {
			for _, err := range MapUnordered(ctx, world, numbers(1), func(_ context.Context, i int) (int, error) { panic("boom") }) {
				return err
			}
			return nil
		}, `^prog: rank 0 on node0: dlp: map: rank 0: item 0 on rank \d \(node\d\): panic: boom\ngoroutine \d+ [^!]*$`, []int{1, 1, 1}},
		{"of root's function", func(ctx context.Context, world *Comm) error {
			_, err := CallOnRoot(ctx, world, func() (int, error) { return 0, errOdd })
			return err
		}, "^prog: rank 0 on node0: dlp: call on root: rank 0: odd one out\n$", []int{1, 1, 1}},
		{"of being stopped", func(ctx context.Context, world *Comm) error {
			stopped := make(chan struct{})
			close(stopped)
			for _, err := range SplitManaged(ctx, world, numbers(100_000), StopOn(stopped, time.Hour)) {
				if err != nil {
					return errors.Join(err, world.Barrier(ctx)) // which another rank's end must not disturb
				}
			}
			return nil
		}, "^prog: rank 0 on node0: dlp: split: rank 0: stopped as asked, not done: items [0-9,-]+\n$", []int{75, 75, 75}},
		{"of the items", func(ctx context.Context, world *Comm) error {
			return loopOver(ctx, world, numbers(3+world.Rank()))
		}, "^prog: rank 0 on node0: dlp: split: rank 0: ranks are in different loops: [^\n]*\n$", []int{1, 1, 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := startMain(t, 3)
			stderr := m.run(test.body)
			assert.Regexp(t, test.stderr, stderr)
			assert.LessOrEqual(t, strings.Count(stderr, "panic: boom"), 1)
			assert.Equal(t, test.status, m.status)
		})
	}
}

// Rank 0 prints what others have left to it, also if it is content itself.
func TestMainPrintsWhatRank0IsContentWith(t *testing.T) {
	m := startMain(t, 3)
	stderr := m.run(func(ctx context.Context, world *Comm) error {
		var err error
		for _, err = range MapUnordered(ctx, world, numbers(1), func(context.Context, int) (int, error) { return 0, errOdd }) {
			continue
		}
		switch world.Rank() {
		case 0:
			assert.ErrorContains(t, err, "odd one out")
			<-m.ended[2]
			return nil
		case 1:
			return nil
		}
		return err
	})
	assert.Regexp(t, `^prog: rank 0 on node0: rank 2 on node2: dlp: map: rank 2: item 0 on rank \d \(node\d\): odd one out\n$`, stderr)
	assert.Equal(t, []int{0, 0, 1}, m.status)
}

func TestMainNamesALostRankOnce(t *testing.T) {
	for _, lost := range []int{0, 2} {
		m := startMain(t, 3)
		stderr := m.run(func(ctx context.Context, world *Comm) error {
			if world.Rank() == max(1, lost) {
				if lost == 0 {
					m.job.cut(1)
					m.job.cut(2)
				} else {
					m.job.cut(lost)
				}
			}
			return world.Barrier(ctx)
		})
		assert.NotContains(t, m.status, 0)
		assert.LessOrEqual(t, strings.Count(stderr, "\n"), 2, "each side of the cut speaks for itself: %s", stderr)
		assert.Contains(t, stderr, "lost")
	}
}

// The first signal of any rank asks all ranks to stop.
func TestStoppingReachesAllRanks(t *testing.T) {
	for _, asked := range []int{0, 2} {
		m := startMain(t, 3)
		var stopped [3]int32
		stderr := m.run(func(ctx context.Context, world *Comm) error {
			if world.Rank() == asked {
				m.signals[asked] <- syscall.SIGUSR1
			}
			d, err := world.Dup(ctx)
			if err != nil {
				return err
			}
			<-d.Stopping()
			stopped[world.Rank()] = int32(world.stop.by())
			if ctx.Err() != nil {
				return ctx.Err()
			}
			_, err = Gather(ctx, world, 1) // results can still be saved
			return err
		})
		assert.Empty(t, stderr)
		assert.Equal(t, []int{0, 0, 0}, m.status)
		usr1 := int32(syscall.SIGUSR1)
		assert.Equal(t, [3]int32{usr1, usr1, usr1}, stopped)
	}
}

// The second signal that a rank gets itself ends its ctx.
func TestSecondSignalEndsTheContext(t *testing.T) {
	m := startMain(t, 2)
	stderr := m.run(func(ctx context.Context, world *Comm) error {
		m.signals[world.Rank()] <- syscall.SIGTERM
		<-world.Stopping()
		if err := world.Barrier(ctx); err != nil {
			return err
		}
		m.signals[world.Rank()] <- syscall.SIGTERM
		<-ctx.Done()
		return ctx.Err()
	})
	assert.Equal(t, "prog: rank 0 on node0: got a signal (terminated): context canceled\n", stderr)
	assert.Equal(t, []int{143, 143}, m.status)
}

func TestGraceEndsTheContext(t *testing.T) {
	m := startMain(t, 2)
	m.grace = time.Millisecond
	stderr := m.run(func(ctx context.Context, world *Comm) error {
		if world.Rank() == 1 {
			m.signals[1] <- syscall.SIGTERM
		}
		<-ctx.Done()
		return context.Cause(ctx)
	})
	assert.Equal(t, "prog: rank 0 on node0: asked to stop by a signal (terminated) 1ms ago\n", stderr)
	assert.Equal(t, []int{143, 143}, m.status)
}

func TestGraceIsCountedFromTheFirstSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 2)
		p := mainRank{signals: signals, grace: stopGrace}
		ctx, cancel := context.WithCancelCause(t.Context())
		wish := newStopWish()
		defer p.obey(wish, cancel)()
		time.Sleep(time.Hour)
		assert.NoError(t, ctx.Err())
		start := time.Now()
		signals <- syscall.SIGINT
		<-ctx.Done()
		assert.Equal(t, 20*time.Second, time.Since(start))
		assert.Equal(t, &StopError{syscall.SIGINT, 20 * time.Second}, context.Cause(ctx))
	})
}
