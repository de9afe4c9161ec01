package dlp

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/progress"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

// show runs a loop of 200 s on a fake clock, at 10 items a second, and returns
// what the display has written.
func show(t *testing.T, p *display) []byte {
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		p.out, p.start = &out, time.Now()
		p.state = func() (done, total, busy int) {
			return int(time.Since(p.start) / (100 * time.Millisecond)), 2000, 4
		}
		hide := p.run()
		time.Sleep(100*time.Second + time.Millisecond)
		hide()
	})
	return out.Bytes()
}

func TestProgressLines(t *testing.T) {
	golden(t, "progress-lines.txt", show(t, &display{label: "evaluate", asked: true}))
}

func TestProgressBar(t *testing.T) {
	out := show(t, &display{bar: true})
	steps := bytes.Split(out, []byte("\r"))
	assert.Len(t, steps, 502, "one in 200 ms, and the last one")
	golden(t, "progress-bar.txt", append(bytes.Join([][]byte{steps[1], steps[250], steps[500]}, []byte("\n")), append([]byte("\n"), steps[501]...)...))
}

// fakeLauncher keeps what it is told.
type fakeLauncher struct {
	told   []progress.State
	err    error
	closed bool
}

func (l *fakeLauncher) Progress(s progress.State) error {
	l.told = append(l.told, s)
	return l.err
}

func (l *fakeLauncher) Close() error {
	l.closed = true
	return nil
}

// At ameexec's terminal ameexec shows the progress, and nothing is written here.
func TestProgressAtTheLaunchersTerminal(t *testing.T) {
	l := &fakeLauncher{}
	out := show(t, &display{label: "squares", launcher: func() reporter { return l }})
	assert.Empty(t, out)
	assert.True(t, l.closed)
	require.Len(t, l.told, 501, "one in 200 ms, and the last one")
	first, last := l.told[0], l.told[500]
	assert.Equal(t, progress.State{Label: "squares", Done: 2, Total: 2000, Busy: 4, Took: barEvery}, first)
	assert.True(t, last.Last)
	assert.Equal(t, 1000, last.Done)
}

// Without one the log has its lines, if the program asks for them.
func TestProgressWithoutTheLaunchersTerminal(t *testing.T) {
	nobody := func() reporter { return nil }
	golden(t, "progress-lines.txt", show(t, &display{label: "evaluate", asked: true, launcher: nobody}))
	assert.Empty(t, show(t, &display{launcher: nobody}))
}

// A launcher that goes away leaves the lines of a log.
func TestProgressWhenTheLauncherGoes(t *testing.T) {
	l := &fakeLauncher{err: io.ErrClosedPipe}
	golden(t, "progress-lines.txt", show(t, &display{label: "evaluate", asked: true, launcher: func() reporter { return l }}))
	assert.Len(t, l.told, 1)
	assert.True(t, l.closed)
}

// Whatever is shown goes to stderr: stdout belongs to the user's program.
func TestProgressGoesToStderr(t *testing.T) {
	read := func(f **os.File) func() string {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		old := *f
		*f = w
		return func() string {
			*f = old
			w.Close()
			var b bytes.Buffer
			_, err := b.ReadFrom(r)
			require.NoError(t, err)
			r.Close()
			return b.String()
		}
	}
	stdout, stderr := read(&os.Stdout), read(&os.Stderr)
	err := Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
		for _, err := range MapUnordered(ctx, c, numbers(10), square, Progress("squares")) {
			if err != nil {
				return err
			}
		}
		for _, err := range SplitManaged(ctx, c, numbers(10)) { // no terminal: silent
			if err != nil {
				return err
			}
		}
		return nil
	})
	onOut, onErr := stdout(), stderr()
	require.NoError(t, err)
	assert.Empty(t, onOut)
	assert.Regexp(t, `^squares: 10/10 \(100%\), .*/s, took \S+\n$`, onErr)
}
