package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLinesAreWhole(t *testing.T) {
	const count, size = 500, 4
	whole := regexp.MustCompile(`^rank (\d) line \d+ of 500$`)
	for _, label := range []bool{false, true} {
		args := with(ranks("halves", "500"), "-n", "4")
		if label {
			args = append([]string{"-l"}, args...)
		}
		r := run(t, args...)
		require.Equal(t, 0, r.status)
		got := lines(r.stdout)
		require.Len(t, got, count*size)
		for _, line := range got {
			if label {
				require.Equal(t, line[:1], string(line[len("0: rank ")]))
				line = line[len("0: "):]
			}
			require.Regexp(t, whole, line)
		}
	}
}

func TestLongLines(t *testing.T) {
	const size = 1 << 20
	r := run(t, with(ranks("long", "1048576"), "-l", "-n", "3")...)
	got := lines(r.stdout)
	slices.Sort(got)
	require.Len(t, got, 3)
	for rank, digit := range []string{"0", "1", "2"} {
		assert.True(t, got[rank] == digit+": "+strings.Repeat(digit, size), "rank %d", rank)
	}
}

func TestLabelEndsTheLastLine(t *testing.T) {
	r := run(t, with(ranks("print", "a\n\nb", "c"), "--label", "-n", "1")...)
	assert.Equal(t, "0: a\n0: \n0: b\n", r.stdout)
	assert.Equal(t, "0: c\n", r.stderr)
}

func TestOutputDir(t *testing.T) {
	for _, label := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "a", "b")
		args := with(ranks("print", "out\n", "err"), "--output-dir", dir, "-n", "11")
		want := []string{"out\n", "err"}
		if label {
			args = append([]string{"-l"}, args...)
			want = []string{" 3: out\n", " 3: err\n"}
		}
		r := run(t, args...)
		assert.Equal(t, result{0, "", ""}, r)
		for i, suffix := range []string{"out", "err"} {
			text, err := os.ReadFile(filepath.Join(dir, "rank-03."+suffix))
			require.NoError(t, err)
			assert.Equal(t, want[i], string(text))
		}
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, entries, 22)
	}
}

// ameexec ... | head -1
func TestReaderGoesAway(t *testing.T) {
	cmd := command(t, with(ranks("flood"), "-n", "2")...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.ReadFull(stdout, make([]byte, len("flood\n")))
	require.NoError(t, err)
	stdout.Close()
	cmd.Wait()
	assert.Equal(t, 141, cmd.ProcessState.ExitCode())
}

// A prompt is seen while its rank waits, that of each rank, labelled or not.
func TestUnfinishedLinesAreShown(t *testing.T) {
	for _, options := range [][]string{{"-n", "3"}, {"-l", "-n", "3"}} {
		cmd := command(t, with([]string{"/bin/sh", "-c", `printf "rank $AME_RANK? "; exec sleep 60`}, options...)...)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		var seen string
		for strings.Count(seen, "? ") < 3 {
			buffer := make([]byte, 100)
			n, err := stdout.Read(buffer)
			require.NoError(t, err)
			seen += string(buffer[:n])
		}
		for _, rank := range []string{"0", "1", "2"} {
			label := ""
			if options[0] == "-l" {
				label = rank + ": "
			}
			assert.Contains(t, lines(seen), label+"rank "+rank+"? ", "each on a line of its own")
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		cmd.Wait()
	}
}
