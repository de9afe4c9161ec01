package dlp

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
func show(t *testing.T, p *progress) []byte {
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
	golden(t, "progress-lines.txt", show(t, &progress{label: "evaluate"}))
}

func TestProgressBar(t *testing.T) {
	out := show(t, &progress{bar: true})
	steps := bytes.Split(out, []byte("\r"))
	assert.Len(t, steps, 502, "one in 200 ms, and the last one")
	golden(t, "progress-bar.txt", append(bytes.Join([][]byte{steps[1], steps[250], steps[500]}, []byte("\n")), append([]byte("\n"), steps[501]...)...))
}

func TestProgressText(t *testing.T) {
	tests := map[string]struct {
		done, total, busy int
		took              time.Duration
		last              bool
		want              string
	}{
		"start":    {0, 10, 3, 0, false, "0/10 (0%), 0/s, 3 ranks busy"},
		"middle":   {5, 10, 3, 5 * time.Second, false, "5/10 (50%), 1/s, 5s left, 3 ranks busy"},
		"one rank": {5, 10, 1, 5 * time.Second, false, "5/10 (50%), 1/s, 5s left, 1 rank busy"},
		"end":      {10, 10, 0, 3500 * time.Millisecond, true, "10/10 (100%), 2.86/s, took 3.5s"},
		"sequence": {7, loop.Unknown, 2, 2 * time.Minute, false, "7, 0.0583/s, 2 ranks busy"},
		"no items": {0, 0, 0, 0, true, "0, 0/s, took 0s"},
		"fast":     {2_000_000, 2_000_000, 0, time.Second, true, "2000000/2000000 (100%), 2000000/s, took 1s"},
	}
	for name, test := range tests {
		got := progressText("", test.done, test.total, test.busy, test.took, test.last)
		assert.Equal(t, test.want, got, name)
	}
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
