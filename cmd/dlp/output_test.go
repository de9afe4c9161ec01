package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

// An item's output is one piece, whatever the others print meanwhile.
func TestOutputIsOnePiece(t *testing.T) {
	r := runMap(t, "", "-j", "4", "--range", "1-12", "--shell", "for i in 1 2 3; do echo {}; echo {}e >&2; sleep 0.01; done")
	require.Equal(t, 0, r.status, r.stderr)
	lines := strings.Fields(r.stdout)
	require.Len(t, lines, 36)
	for i := range 12 {
		assert.Equal(t, lines[3*i], lines[3*i+1])
		assert.Equal(t, lines[3*i], lines[3*i+2])
	}
	assert.Equal(t, 36, strings.Count(r.stderr, "e\n"))
}

func TestKeepOrder(t *testing.T) {
	script := `[ {} -lt 3 ] && sleep 0.3; printf '%s:' {}; [ {} = 5 ] && exit 1; [ {} = 6 ] && head -c 100000 /dev/zero; true`
	r := runMap(t, "", "-k", "-j", "4", "--range", "1-8", "--shell", script)
	assert.Equal(t, 1, r.status)
	assert.Equal(t, "1:2:3:4:5:6:"+strings.Repeat("\x00", 100000)+"7:8:", r.stdout)
}

// What must wait for its turn is not kept in memory.
func TestKeepOrderHoldsOnDisk(t *testing.T) {
	cmd := dlpMap(t, "-q", "-k", "-j", "2", "--range", "1-500", "--shell", `[ {} = 1 ] && sleep 2; head -c 90000 /dev/zero`)
	count, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer count.Close()
	cmd.Stdout = count
	require.NoError(t, cmd.Run())
	info, err := count.Stat()
	require.NoError(t, err)
	assert.EqualValues(t, 500*90000, info.Size())
}

func TestTag(t *testing.T) {
	r := runMap(t, "", "-k", "--tag", "printf", "one\\ntwo\\n%s", "{}", ":::", "a b", "c")
	assert.Equal(t, "a b\tone\na b\ttwo\na b\ta bc\tone\nc\ttwo\nc\tc", r.stdout)
}

// With --line-buffer a line is there while its item runs.
func TestLineBuffer(t *testing.T) {
	cmd := dlpMap(t, "-q", "-j", "2", "--line-buffer", "--tag", "sh", "-c", `echo one; read x <"$0"; echo two; printf three`)
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	cmd.Stdin = strings.NewReader(path + "\n")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line := make([]byte, len(path+"\tone\n"))
	_, err = stdout.Read(line)
	require.NoError(t, err)
	assert.Equal(t, path+"\tone\n", string(line))
	require.NoError(t, os.WriteFile(path, []byte("x\n"), 0))
	rest := new(strings.Builder)
	_, err = fmt.Fprint(rest, readAll(t, stdout))
	require.NoError(t, err)
	assert.Equal(t, path+"\ttwo\n"+path+"\tthree\n", rest.String())
	require.NoError(t, cmd.Wait())
}

func TestResults(t *testing.T) {
	for _, option := range []string{"--results", "--results-local"} {
		dir := filepath.Join(t.TempDir(), "some", "where")
		r := runMap(t, "", option, dir, "--shell", "echo {}; [ {} = b ] && echo e >&2 && head -c 100000 /dev/zero; true", ":::", "a", "b")
		require.Equal(t, 0, r.status, r.stderr)
		assert.Empty(t, r.stdout)
		assert.Equal(t, "a\n", read(t, dir+"/1.out"))
		assert.Equal(t, "b\n"+strings.Repeat("\x00", 100000), read(t, dir+"/2.out"))
		assert.Equal(t, "e\n", read(t, dir+"/2.err"))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, entry := range entries {
			assert.Regexp(t, `^[12]\.(out|err)$`, entry.Name())
		}
	}
}

// A disk that is full ends the map, and says so.
func TestResultsOnAFullDisk(t *testing.T) {
	dir := need.Tmpfs(t, "size=64k")
	r := runMap(t, "", "-q", "-j1", "--results", dir, "--range", "1-100", "--shell", "head -c 20000 /dev/zero; : {}")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.stderr, "dlp map: --results: write "+dir)
	assert.Contains(t, r.stderr, "no space left on device")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		assert.EqualValues(t, 20000, info.Size(), "whole files only: %s", entry.Name())
	}

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	cmd := dlpMap(t, "-j1", "--range", "1-1000", "echo")
	cmd.Stdout = full
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.Error(t, cmd.Run())
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Contains(t, stderr.String(), "dlp map: output: write /dev/stdout: no space left on device")
}

// A long output costs no memory, and neither do blocks of a long input whose output
// waits for that of an earlier one.
func TestLongItems(t *testing.T) {
	t.Run("output", func(t *testing.T) {
		const size = 1 << 30
		counter := &counter{}
		peakOf(t, dlpMap(t, "-q", "-j1", "head", "-c", fmt.Sprint(size), "{}", ":::", "/dev/zero"), counter)
		assert.EqualValues(t, size, counter.n)
	})
	t.Run("input", func(t *testing.T) {
		const size = 256 << 20
		cmd := dlpMap(t, "-q", "-k", "--tag", "-j2", "--pipe", "--block", "1M", "sh", "-c", "[ $DLP_INDEX != 0 ] || sleep 3; wc -l")
		lines := exec.Command("sh", "-c", fmt.Sprintf("yes 0123456 | head -c %d", size))
		input, err := lines.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, lines.Start())
		cmd.Stdin = input
		var out strings.Builder
		peakOf(t, cmd, &out)
		assert.NoError(t, lines.Wait())
		for i, line := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
			assert.Equal(t, fmt.Sprintf("block %d\t%d", i+1, (1<<20)/8), line)
		}
		assert.Equal(t, size/(1<<20), strings.Count(out.String(), "\n"))
	})
}

// A long list costs little memory either.
func TestManyItems(t *testing.T) {
	const n = 300_000
	list := exec.Command("seq", fmt.Sprint(n))
	input, err := list.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, list.Start())
	cmd := dlpMap(t, "-q", "--worker", "cat")
	cmd.Stdin = input
	counter, want := &counter{}, 0
	peakOf(t, cmd, counter)
	require.NoError(t, list.Wait())
	for i := 1; i <= n; i++ {
		want += len(fmt.Sprintln(i))
	}
	assert.EqualValues(t, want, counter.n)
}

// Items leave no descriptor behind in dlp, whatever becomes of them.
func TestNoDescriptorIsLeft(t *testing.T) {
	dir := t.TempDir()
	r := runMap(t, "", "-k", "-j2", "--results", filepath.Join(dir, "results"), "--journal", filepath.Join(dir, "journal"), "--timeout", "60", "--range", "1-2000",
		"--shell", `case {} in [12] | 1999 | 2000) ls /proc/$PPID/fd | wc -l >&2;; *7) exit 1;; *8) kill -9 $$;; *9) echo e >&2;; *) echo {};; esac`)
	assert.Equal(t, 1, r.status)
	count := func(number int) int {
		n, err := strconv.Atoi(strings.TrimSpace(read(t, filepath.Join(dir, "results", fmt.Sprint(number, ".err")))))
		require.NoError(t, err)
		return n
	}
	first, last := max(count(1), count(2)), max(count(1999), count(2000))
	assert.Less(t, last, first+100, "more than what is on its way of the last items")
}

// peakOf runs a map, and checks that its memory is far below what goes through it.
func peakOf(t *testing.T, cmd *exec.Cmd, out io.Writer) {
	cmd.Stdout = out
	peak := filepath.Join(t.TempDir(), "peak")
	cmd.Env = append(cmd.Env, peakFile+"="+peak)
	require.NoError(t, cmd.Run())
	// Not rusage: its maximum contains that of the process of this test.
	found := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindStringSubmatch(read(t, peak))
	require.NotNil(t, found)
	most, err := strconv.Atoi(found[1])
	require.NoError(t, err)
	t.Logf("%d KiB", most)
	assert.Less(t, most, 160<<10, "KiB")
}

type counter struct{ n int64 }

func (c *counter) Write(data []byte) (int, error) {
	c.n += int64(len(data))
	return len(data), nil
}
