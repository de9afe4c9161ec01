package run

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/cpus"
	"github.com/dlp-mpi/dlp-go/test/need"
)

func newRunner(t *testing.T) *Runner {
	r, err := NewRunner(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// sh runs a shell script.
func sh(t *testing.T, r *Runner, script string, change func(*Spec)) *Result {
	s := Spec{Args: []string{"sh", "-c", script}, Environ: os.Environ(), Grace: time.Minute}
	if change != nil {
		change(&s)
	}
	result := r.Run(t.Context(), s)
	t.Cleanup(result.Close)
	return result
}

// text is all that is in an output.
func text(t *testing.T, o *Output) string {
	require.NoError(t, o.Err())
	all, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	require.NoError(t, err)
	return string(all)
}

func TestRun(t *testing.T) {
	r := newRunner(t)
	tests := map[string]struct {
		script      string
		stdin       []byte
		status      int
		signal      syscall.Signal
		out, errOut string
	}{
		"nothing":          {"", nil, 0, 0, "", ""},
		"both streams":     {"echo a; echo b >&2; echo c", nil, 0, 0, "a\nc\n", "b\n"},
		"reopened":         {"echo a >/dev/stderr; echo b >/dev/stderr", nil, 0, 0, "", "a\nb\n"},
		"status":           {"exit 7", nil, 7, 0, "", ""},
		"signal":           {"kill -USR1 $$", nil, 128 + int(syscall.SIGUSR1), syscall.SIGUSR1, "", ""},
		"no input":         {"cat", nil, 0, 0, "", ""},
		"input":            {"cat", []byte("a\x00b"), 0, 0, "a\x00b", ""},
		"empty input":      {"wc -c", []byte{}, 0, 0, "0\n", ""},
		"own group":        {`[ $(cut -d' ' -f5 /proc/self/stat) = $$ ]; echo $?`, nil, 0, 0, "0\n", ""},
		"no terminal":      {"(: </dev/tty) 2>/dev/null || echo none", nil, 0, 0, "none\n", ""},
		"leaves a process": {"sleep 1000 & echo a", nil, 0, 0, "a\n", ""},
		"gets away":        {"setsid sleep 1000 & echo a", nil, 0, 0, "a\n", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			result := sh(t, r, test.script, func(s *Spec) { s.Stdin = test.stdin })
			require.NoError(t, result.Err)
			assert.Equal(t, test.status, result.Status)
			assert.Equal(t, test.signal, result.Signal)
			assert.Equal(t, test.out, text(t, result.Out[0]))
			assert.Equal(t, test.errOut, text(t, result.Out[1]))
			assert.Positive(t, result.Pid)
			assert.False(t, result.TimedOut || result.Stopped)
		})
	}
}

func TestDoesNotStart(t *testing.T) {
	r := newRunner(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, []byte("x"), 0o644))
	script := filepath.Join(dir, "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/absent/interpreter\n"), 0o755))
	tests := map[string]struct {
		args   []string
		status int
		err    string
	}{
		"absent":         {[]string{"no-such-program-here"}, 127, "not found in PATH"},
		"absent path":    {[]string{dir + "/absent"}, 127, "no such file"},
		"not executable": {[]string{plain}, 126, "not executable"},
		"directory":      {[]string{dir}, 126, "is a directory"},
		"interpreter":    {[]string{script}, 126, "interpreter"},
		"too long":       {[]string{"echo", strings.Repeat("x", 10<<20)}, 126, "longer than 128 KiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			result := r.Run(t.Context(), Spec{Args: test.args, Environ: os.Environ()})
			defer result.Close()
			assert.Equal(t, test.status, result.Status)
			assert.ErrorContains(t, result.Err, test.err)
			assert.Zero(t, result.Pid)
		})
	}
}

// Output beyond a few KiB is in a file without a name.
func TestLargeOutput(t *testing.T) {
	r := newRunner(t)
	const size = 20 << 20
	result := sh(t, r, fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x; echo end", size), nil)
	assert.EqualValues(t, size+4, result.Out[0].Size())
	_, inMemory := result.Out[0].Bytes()
	assert.False(t, inMemory)
	all := text(t, result.Out[0])
	assert.Equal(t, size, strings.Count(all, "x"))
	assert.True(t, strings.HasSuffix(all, "xend\n"))
	entries, err := os.ReadDir(r.spool)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestReadAt(t *testing.T) {
	for _, size := range []int{0, 1, inMemory, inMemory + 1, 3 * inMemory} {
		o := &Output{spool: t.TempDir()}
		want := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		for rest := want; len(rest) > 0; {
			n := min(1000, len(rest))
			o.Write(rest[:n])
			rest = rest[n:]
		}
		for _, chunk := range []int{1000, inMemory, inMemory + 7, 10 * inMemory} {
			var got []byte
			for buffer := make([]byte, chunk); ; {
				n, err := o.ReadAt(buffer, int64(len(got)))
				got = append(got, buffer[:n]...)
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
			}
			require.Equal(t, want, append([]byte{}, got...), "%d bytes by %d", size, chunk)
		}
		o.Close()
	}
}

func TestTap(t *testing.T) {
	r := newRunner(t)
	var seen [2]bytes.Buffer
	result := sh(t, r, "echo a; echo b >&2", func(s *Spec) { s.Tap = func(stream int, data []byte) { seen[stream].Write(data) } })
	assert.Equal(t, "a\n", seen[0].String())
	assert.Equal(t, "b\n", seen[1].String())
	assert.Equal(t, "a\n", text(t, result.Out[0]))
}

func TestFiles(t *testing.T) {
	r := newRunner(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer file.Close()
	result := sh(t, r, "echo a; echo b >&2", func(s *Spec) { s.Files[0] = file })
	written, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	assert.Equal(t, "a\n", string(written))
	assert.Zero(t, result.Out[0].Size())
	assert.Equal(t, "b\n", text(t, result.Out[1]))
}

func TestBinding(t *testing.T) {
	if runtime.GOOS != "linux" {
		need.Unable(t, "only Linux binds")
	}
	r := newRunner(t)
	cores, err := cpus.Cores()
	require.NoError(t, err)
	one := cores[len(cores)-1][:1]
	result := sh(t, r, "grep Cpus_allowed_list /proc/self/status", func(s *Spec) { s.CPUs = one })
	assert.Equal(t, fmt.Sprintf("Cpus_allowed_list:\t%d\n", one[0]), text(t, result.Out[0]))
	after, err := cpus.Cores()
	require.NoError(t, err)
	assert.Equal(t, cores, after)
}

func TestNoDescriptorLeaks(t *testing.T) {
	if runtime.GOOS != "linux" {
		need.Unable(t, "only Linux lists descriptors")
	}
	r := newRunner(t)
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(entries)
	}
	once := func() {
		for _, args := range [][]string{{"sh", "-c", "head -c 50000 /dev/zero"}, {"no-such-program-here"}, {"/"}} {
			r.Run(context.Background(), Spec{Args: args, Environ: os.Environ(), Stdin: []byte("x")}).Close()
		}
	}
	once()
	before := open()
	for range 20 {
		once()
	}
	assert.Equal(t, before, open())
}
