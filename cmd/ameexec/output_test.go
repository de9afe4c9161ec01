package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A line of one rank never stands inside that of another. On a busy machine a
// rank may stand still in the middle of one for longer than the others wait:
// then a newline cuts it.
func TestLinesAreWhole(t *testing.T) {
	const count, size = 500, 4
	piece := regexp.MustCompile(`^(rank (\d) line )?(\d+ of 500 by (\d))?$`)
	for _, label := range []bool{false, true} {
		args := with(ranks("halves", "500"), "-n", "4")
		if label {
			args = append([]string{"-l"}, args...)
		}
		r := run(t, args...)
		require.Equal(t, 0, r.status, "%s", r.stderr)
		got, whole := make([]string, size), 0
		for _, line := range lines(r.stdout) {
			text := line
			if label {
				require.Greater(t, len(line), len("0: "), "%q", line)
				text = line[len("0: "):]
			}
			parts := piece.FindStringSubmatch(text)
			require.NotNil(t, parts, "%q; stderr: %s", line, r.stderr)
			first, second := parts[2], parts[4]
			if first != "" && second != "" {
				require.Equal(t, first, second, line)
				whole++
			}
			rank := cmp.Or(first, second)
			require.NotEmpty(t, rank, "an empty line")
			if label {
				require.Equal(t, rank+": ", line[:len("0: ")], line)
			}
			got[rank[0]-'0'] += text
		}
		assert.NotZero(t, whole)
		for rank, text := range got {
			var want strings.Builder
			for i := range count {
				fmt.Fprintf(&want, "rank %d line %d of %d by %d", rank, i, count, rank)
			}
			require.Equal(t, want.String(), text, "stderr: %s", r.stderr)
		}
	}
}

// A long line arrives, in one piece if its rank is not kept from writing it.
func TestLongLines(t *testing.T) {
	const size = 1 << 20
	r := run(t, with(ranks("long", "1048576"), "-l", "-n", "3")...)
	require.Equal(t, 0, r.status, "%s", r.stderr)
	got := make([]int, 3)
	for _, line := range lines(r.stdout) {
		rank, text, _ := strings.Cut(line, ": ")
		require.Empty(t, strings.Trim(text, rank), "in a line of rank %s", rank)
		got[rank[0]-'0'] += len(text)
	}
	assert.Equal(t, []int{size, size, size}, got)
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
