package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func readAll(t *testing.T, r io.Reader) string {
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}

func TestFailures(t *testing.T) {
	list := filepath.Join(t.TempDir(), "failed")
	r := runMap(t, "0\n3\n0\n5\n", "-j1", "--failed", list, "sh", "-c", `seq 10 >&2; printf '\033[2J' >&2; exit $0`)
	assert.Equal(t, 1, r.status)
	assert.Equal(t, "3\n5\n", read(t, list))
	assert.Regexp(t, `(?m)^dlp map: item 2 \(3\) failed on rank 0 \(\S+\): exit status 3\n    7\n    8\n    9\n    10\n    \?\[2J\ndlp map: item 4 \(5\) `, r.stderr)
	assert.Regexp(t, `(?m)^dlp map: 2 done, 2 failed in `, r.stderr)

	r = runMap(t, "", "-q", "-j1", "--failed", list, "false", ":::", "a", "b", ":::", "c d")
	assert.Equal(t, 1, r.status)
	assert.Equal(t, "a\tc d\nb\tc d\n", read(t, list))
	r = runMap(t, "", "-k", "-a", list, "-C", "\t", "echo", "{2}{1}")
	assert.Equal(t, "c da\nc db\n", r.stdout)

	r = runMap(t, "", "--range", "1-50", "-q", "false")
	assert.Equal(t, 1, r.status)
	assert.Equal(t, 21, strings.Count(r.stderr, "\n"), r.stderr)
	assert.Contains(t, r.stderr, "dlp map: and 30 more\n")
}

func TestSignalsOfItems(t *testing.T) {
	r := runMap(t, "", "--shell", "kill -9 $$", ":::", "x")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.stderr, ": killed by signal 9\n")
}

func TestRetries(t *testing.T) {
	r := runMap(t, "", "-k", "--retries", "2", "--shell", "echo {} $DLP_ATTEMPT; [ $DLP_ATTEMPT = {} ]", ":::", "1", "3", "4")
	assert.Equal(t, 1, r.status)
	assert.Equal(t, "1 1\n3 3\n4 3\n", r.stdout, "the last attempt's output")
	assert.Contains(t, r.stderr, "item 3 (4) failed")
	assert.Contains(t, r.stderr, "exit status 1, 3 attempts")
}

func TestTimeout(t *testing.T) {
	for _, limit := range []time.Duration{200 * time.Millisecond, 2 * time.Second, 20 * time.Second} {
		r := runMap(t, "", "--timeout", limit.String(), "--shell", "echo begun; sleep 1000 & sleep 1000; : {}", ":::", "x")
		assert.Equal(t, 1, r.status)
		assert.Contains(t, r.stderr, fmt.Sprintf("timeout: %v have passed", limit))
		if r.stdout != "" || limit > 10*time.Second { // on a busy machine it may not come to say so in a short time
			assert.Equal(t, "begun\n", r.stdout)
			return
		}
	}
}

func TestMaxFailures(t *testing.T) {
	r := runMap(t, "", "-q", "-j1", "--max-failures", "3", "--range", "1-1000000", "--shell", "exit 1")
	assert.Equal(t, 1, r.status)
	named := strings.Count(r.stderr, "failed on rank")
	assert.GreaterOrEqual(t, named, 3)
	assert.Less(t, named, 20, r.stderr)
}

func TestFailFast(t *testing.T) {
	r := runMap(t, "", "-j", "3", "--fail-fast", "--shell", "[ {} = 2 ] && exit 4; sleep 1000", ":::", "1", "2", "3", "4")
	assert.Equal(t, 1, r.status)
	assert.Equal(t, 1, strings.Count(r.stderr, "failed on rank"), r.stderr)
	assert.Contains(t, r.stderr, "item 2 (2) failed")
	assert.Contains(t, r.stderr, "0 done, 1 failed")
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]struct {
		stdin  string
		args   []string
		status int
		stderr string
	}{
		"no such list":     {"", []string{"-a", dir + "/absent", "echo"}, 1, "open " + dir + "/absent: no such file"},
		"a directory":      {"", []string{"-a", dir, "echo"}, 1, "is a directory"},
		"joblog":           {"a\n", []string{"--joblog", dir + "/absent/log", "echo"}, 1, "--joblog: open"},
		"failed":           {"a\n", []string{"--failed", dir, "echo"}, 1, "--failed: open"},
		"results":          {"a\n", []string{"--results", "/dev/null/x", "echo"}, 1, "--results: mkdir"},
		"results, local":   {"a\n", []string{"--results-local", "/dev/null/x", "echo"}, 1, "--results-local: mkdir"},
		"no such column":   {"a\n", []string{"echo", "{9}"}, 1, "{9}: the item has one column; --colsep cuts lines into columns"},
		"no such command":  {"a\n", []string{"no-such-command-here"}, 1, "no-such-command-here: not found in PATH"},
		"not executable":   {"a\n", []string{file(t, "x")}, 1, "not executable; chmod +x makes it so"},
		"a very long line": {strings.Repeat("x", 10<<20) + "\n", []string{"true"}, 1, "longer than 128 KiB"},
		"NUL in a line":    {"a\x00b\n", []string{"echo"}, 1, "NUL byte"},
		"no option":        {"", []string{"--no-such-option", "echo"}, 2, "no-such-option"},
		"two sources":      {"", []string{"--range", "1-2", "echo", ":::", "a"}, 2, "items come from one place"},
		"bad range":        {"", []string{"--range", "x", "echo"}, 2, "want FIRST-LAST"},
		"bad pair":         {"", []string{"echo", ":::+", "a"}, 2, "not :::+"},
		"bad duration":     {"", []string{"--timeout", "soon", "echo"}, 2, "want a duration"},
		"no slot":          {"", []string{"-j", "0", "echo"}, 2, "at least one item"},
		"no CPU":           {"", []string{"--cpus-per-item", "0", "echo"}, 2, "needs a processor"},
		"negative":         {"", []string{"--retries", "-1", "echo"}, 2, "negative"},
		"two places":       {"", []string{"--results", "a", "--results-local", "b", "echo"}, 2, "one place"},
		"lines in order":   {"", []string{"-k", "--line-buffer", "echo"}, 2, "--line-buffer"},
		"stdin of a line":  {"", []string{"--stdin-item"}, 2, "there is none"},
		"pipe of nothing":  {"", []string{"--pipe"}, 2, "there is none"},
		"pipe of others":   {"", []string{"--pipe", "cat", ":::", "a"}, 2, "--pipe is for lines"},
		"block of no pipe": {"", []string{"--block", "1M", "cat"}, 2, "--block is for --pipe"},
		"block of nothing": {"", []string{"--pipe", "--block", "1T", "cat"}, 2, "want a size such as 500k"},
		"no items in one":  {"", []string{"-n", "0", "echo"}, 2, "at least one item"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := runMap(t, test.stdin, test.args...)
			assert.Equal(t, test.status, r.status, r.stderr)
			assert.Contains(t, r.stderr, test.stderr)
			assert.Empty(t, r.stdout)
		})
	}
}

// A very long item goes to stdin whole.
func TestVeryLongItem(t *testing.T) {
	r := runMap(t, strings.Repeat("x", 10<<20)+"\n", "--stdin-item", "wc", "-c")
	assert.Equal(t, "10485760\n", r.stdout, r.stderr)
}

func TestOtherCommandsOfDlp(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"--version"}, {"map", "--help"}} {
		cmd := dlpMap(t)
		cmd.Args = append([]string{os.Args[0], "dlp"}, args...)
		r := finish(t, cmd)
		assert.Equal(t, 0, r.status, "%v: %s", args, r.stderr)
		assert.NotEmpty(t, r.stdout)
	}
	cmd := dlpMap(t)
	cmd.Args = []string{os.Args[0], "dlp", "mop"}
	r := finish(t, cmd)
	assert.Equal(t, 2, r.status)
	assert.Contains(t, r.stderr, `"mop" is no command`)
}
