package run

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// family has a child in its group and one that has left it; all hold the FIFO
// that is its first argument open, and say so.
const family = `exec 9>"$FIFO"; sh -c 'echo child >&9; sleep 1000' & setsid -w sh -c 'echo session >&9; sleep 1000' & echo first >&9; `

// watched is a FIFO that is at its end when no process holds it.
type watched struct {
	file *os.File
	text *bufio.Scanner
}

// runFamily runs the family, and calls act when all of it are there.
func runFamily(t *testing.T, r *Runner, ctx context.Context, script string, change func(*Spec), act func()) (*Result, time.Duration) {
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	s := Spec{Args: []string{"sh", "-c", family + script}, Environ: append(os.Environ(), "FIFO="+path), Grace: time.Minute}
	if change != nil {
		change(&s)
	}
	ended := make(chan *Result, 1)
	go func() { ended <- r.Run(ctx, s) }()
	fifo, err := os.Open(path)
	require.NoError(t, err)
	defer fifo.Close()
	w := watched{fifo, bufio.NewScanner(fifo)}
	for range 3 {
		require.True(t, w.text.Scan())
	}
	begin := time.Now()
	act()
	result := <-ended
	took := time.Since(begin)
	for w.text.Scan() { // until nobody holds it
	}
	result.Close()
	return result, took
}

// The whole family ends, whoever asks for it.
func TestEndOfAll(t *testing.T) {
	r := newRunner(t)
	ctx, cancel := context.WithCancel(t.Context())
	result, _ := runFamily(t, r, ctx, "sleep 1000", func(s *Spec) { s.Grace = time.Minute }, cancel)
	assert.True(t, result.Stopped)
	assert.False(t, result.TimedOut)
	assert.Equal(t, 143, result.Status)

	// The time is up long before the family has said hello, or when it has.
	result = r.Run(t.Context(), Spec{Args: []string{"sleep", "1000"}, Environ: os.Environ(), Timeout: time.Millisecond, Grace: time.Minute})
	result.Close()
	assert.True(t, result.TimedOut)
	assert.False(t, result.Stopped)
	assert.Equal(t, syscall.SIGTERM, result.Signal)
}

// Who ignores SIGTERM is killed after the grace, with all that it has started.
func TestGraceEnds(t *testing.T) {
	r := newRunner(t)
	ctx, cancel := context.WithCancel(t.Context())
	result, took := runFamily(t, r, ctx, "trap '' TERM; while :; do sleep 1; done", func(s *Spec) { s.Grace = 300 * time.Millisecond }, cancel)
	assert.Equal(t, syscall.SIGKILL, result.Signal)
	assert.GreaterOrEqual(t, took, 300*time.Millisecond)
}

// A child that cleans up at SIGTERM has the grace for it, though its parent, a
// shell, ends at once.
func TestGraceIsForTheGroup(t *testing.T) {
	r := newRunner(t)
	path := filepath.Join(t.TempDir(), "ready")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan *Result, 1)
	go func() {
		ended <- r.Run(ctx, Spec{
			Args:    []string{"sh", "-c", `sh -c 'trap "sleep 0.3; echo cleaned; exit" TERM; echo ready >"$FIFO"; while :; do sleep 0.1; done'; :`},
			Environ: append(os.Environ(), "FIFO="+path), Grace: time.Minute,
		})
	}()
	_, err := os.ReadFile(path)
	require.NoError(t, err)
	cancel()
	result := <-ended
	defer result.Close()
	assert.True(t, result.Stopped)
	assert.Equal(t, "cleaned\n", text(t, result.Out[0]))
}

func TestKill(t *testing.T) {
	r := newRunner(t)
	result, _ := runFamily(t, r, t.Context(), "trap '' TERM; while :; do sleep 1; done", nil, r.Kill)
	assert.True(t, result.Stopped)
	assert.Equal(t, syscall.SIGKILL, result.Signal)

	result = r.Run(t.Context(), Spec{Args: []string{"true"}})
	result.Close()
	assert.True(t, result.Stopped)
	assert.Zero(t, result.Pid, "it starts after Kill")
}

// A stopped process is ended, too.
func TestStoppedProcessEnds(t *testing.T) {
	r := newRunner(t)
	ctx, cancel := context.WithCancel(t.Context())
	result, _ := runFamily(t, r, ctx, "kill -STOP $$; sleep 1000", func(s *Spec) { s.Grace = 50 * time.Millisecond }, cancel)
	assert.True(t, result.Stopped)
}
