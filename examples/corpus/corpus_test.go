package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/dlp"
	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// asProgram is the variable that makes the test binary the program. It runs as
// another user than root, to whom no file would be unreadable.
const asProgram = "CORPUS_TEST_RUN"

// noStdout is the variable that lets nothing be written to stdout.
const noStdout = "CORPUS_TEST_NO_STDOUT"

const nobody = 65534

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		if os.Getuid() == 0 {
			if err := syscall.Setuid(nobody); err != nil {
				panic(err)
			}
		}
		if os.Getenv(noStdout) != "" {
			var err error
			if os.Stdout, err = os.Open(os.DevNull); err != nil { // for reading
				panic(err)
			}
		}
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(deadline.Each(m))
}

// outcome is how the program ended.
type outcome struct {
	status         int
	stdout, stderr string
}

// corpus runs the program alone. extra is added to its environment.
func corpus(t *testing.T, extra []string, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "AME_BOOTSTRAP=single", "GORACE=atexit_sleep_ms=0")
	cmd.Env = append(cmd.Env, extra...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, failed := err.(*exec.ExitError); !failed {
		require.NoError(t, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// tree makes a directory that everybody can enter.
func tree(t *testing.T, files map[string]string) string {
	dir, err := os.MkdirTemp("", "corpus")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// oddTree has what one finds in other people's directories.
func oddTree(t *testing.T) string {
	dir := tree(t, map[string]string{
		"plain.go":          "package b\n\nfunc a(x int) int { return x + x } // x\n",
		"sub/deep/again.go": "package b\n\nvar x = 1\n",
		"bom.go":            "\ufeffpackage b\n",
		"empty.go":          "",
		"syntax.go":         "func ) \"open\n /* x",
		"nul.go":            "package \x00 z",
		"unreadable.go":     "package never\n",
		"locked/hidden.go":  "package never\n",
		"folder.go/in.txt":  "package never\n",
		"notes.txt":         "package never\n",
	})
	require.NoError(t, os.Chmod(filepath.Join(dir, "unreadable.go"), 0))
	require.NoError(t, os.Chmod(filepath.Join(dir, "locked"), 0))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe.go"), 0o644))
	require.NoError(t, os.Symlink("..", filepath.Join(dir, "sub/loop")))
	require.NoError(t, os.Symlink("plain.go", filepath.Join(dir, "link.go")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dangling.go")))
	return dir
}

// times is what may differ between two runs.
var times = regexp.MustCompile(`(?m)^(seconds: ).*|^(items per rank: ).*`)

func TestTextOutput(t *testing.T) {
	dir := oddTree(t)
	got := corpus(t, nil, dir)
	assert.Equal(t, 0, got.status)
	want := dir + `: 6 files, 114 bytes, 36 tokens, 5 different identifiers

        4  x
        3  b
        2  int
        1  a
        1  z

items per rank: 
seconds: 
`
	assert.Equal(t, want, times.ReplaceAllString(got.stdout, "$1$2"))
	assert.Equal(t, "corpus: "+dir+"/locked: permission denied\n"+
		"corpus: "+dir+"/unreadable.go: permission denied\n"+
		"corpus: not everything below "+dir+" was counted: 2 files or directories could not be read\n", got.stderr)
}

func TestJSONOutput(t *testing.T) {
	dir := oddTree(t)
	got := corpus(t, nil, "--json", dir)
	require.Equal(t, 0, got.status, got.stderr)
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &fields))
	seconds, ok := fields["seconds"].(float64)
	assert.True(t, ok && seconds > 0, "seconds: %v", fields["seconds"])
	delete(fields, "seconds")
	one := func(name string, n int) any { return map[string]any{"name": name, "count": float64(n)} }
	failed := func(name string) any {
		return map[string]any{"path": filepath.Join(dir, name), "error": "permission denied"}
	}
	assert.Equal(t, map[string]any{
		"dir": dir, "files": 6.0, "bytes": 114.0, "tokens": 36.0, "distinct": 5.0, "serial_seconds": 0.0,
		"identifiers":    []any{one("x", 4), one("b", 3), one("int", 2), one("a", 1), one("z", 1)},
		"failed":         []any{failed("locked"), failed("unreadable.go")},
		"items_per_rank": []any{7.0},
	}, fields)
}

func TestEmptyDirectory(t *testing.T) {
	got := corpus(t, nil, "--json", tree(t, nil))
	assert.Equal(t, 0, got.status)
	assert.Contains(t, got.stdout, `"files":0,"bytes":0,"tokens":0,"distinct":0,"identifiers":[],"failed":[],"items_per_rank":[0]`)
}

func TestExitStatus(t *testing.T) {
	dir := tree(t, map[string]string{"a.go": "package a\n"})
	for name, test := range map[string]struct {
		extra  []string
		args   []string
		status int
		says   string
	}{
		"good":                 {args: []string{dir}},
		"serial":               {args: []string{"--serial", dir}},
		"help":                 {args: []string{"--help"}, says: "Usage: corpus"},
		"no such flag":         {args: []string{"--fast"}, status: 2, says: "-fast"},
		"two directories":      {args: []string{dir, dir}, status: 2, says: "unexpected argument"},
		"flag behind":          {args: []string{dir, "--json"}, status: 2, says: `unexpected argument "--json": options come first`},
		"no such directory":    {args: []string{dir + "/none"}, status: 1, says: dir + "/none: no such file or directory"},
		"file":                 {args: []string{dir + "/a.go"}, status: 1, says: "not a directory"},
		"no Go":                {extra: []string{"PATH="}, status: 1, says: "name a directory: corpus DIR"},
		"broken environment":   {extra: []string{"AME_BOOTSTRAP=none"}, status: 1, says: "AME_BOOTSTRAP"},
		"output cannot be had": {args: []string{"--json", dir}, extra: []string{noStdout + "=1"}, status: 1, says: "bad file descriptor"},
	} {
		t.Run(name, func(t *testing.T) {
			got := corpus(t, test.extra, test.args...)
			assert.Equal(t, test.status, got.status)
			if test.says == "" {
				assert.Empty(t, got.stderr)
			}
			assert.Contains(t, got.stderr, test.says)
			if test.status != 0 {
				assert.Empty(t, got.stdout)
			}
		})
	}
}

// result is the output of a run on ranks that are goroutines.
func result(t *testing.T, ranks int, o options) summary {
	var stdout bytes.Buffer
	o.json = true
	err := dlp.Run(t.Context(), ranks, func(ctx context.Context, world *dlp.Comm) error {
		return run(ctx, world, o, &stdout, &bytes.Buffer{})
	})
	require.NoError(t, err)
	var s summary
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &s))
	sum := 0
	for _, n := range s.ItemsPerRank {
		sum += n
	}
	assert.Equal(t, ranks, len(s.ItemsPerRank))
	assert.LessOrEqual(t, s.Files, sum)
	s.ItemsPerRank, s.Seconds = nil, 0
	return s
}

// A serial and a parallel run print the same but for times and items per rank.
func TestParallelCountsWhatSerialCounts(t *testing.T) {
	src, err := goSource()
	require.NoError(t, err)
	for name, dir := range map[string]string{"odd tree": oddTree(t), "source of go/...": filepath.Join(src, "go")} {
		want := result(t, 1, options{serial: true, dir: dir})
		require.NotEmpty(t, want.Identifiers)
		for _, ranks := range []int{1, 2, 4} {
			t.Run(name+" on "+strconv.Itoa(ranks), func(t *testing.T) {
				assert.Equal(t, want, result(t, ranks, options{dir: dir}))
				assert.Equal(t, want, result(t, ranks, options{dir: dir, serial: true}))
				both := result(t, ranks, options{dir: dir, compare: true})
				assert.Positive(t, both.Serial)
				both.Serial = 0
				assert.Equal(t, want, both)
			})
		}
	}
}

// A file that vanishes once it is listed is a failure of its own item alone.
func TestVanishedFile(t *testing.T) {
	dir := tree(t, map[string]string{"a.go": "package a\n"})
	paths := []string{filepath.Join(dir, "gone.go"), filepath.Join(dir, "a.go")}
	err := dlp.Run(t.Context(), 3, func(ctx context.Context, world *dlp.Comm) error {
		total, err := countParallel(ctx, world, paths)
		if err != nil || !world.IsRoot() {
			return err
		}
		assert.Equal(t, []failure{{paths[0], "no such file or directory"}}, total.Failed)
		assert.Equal(t, 1, total.Files)
		assert.Equal(t, 2, total.ItemsPerRank[0]+total.ItemsPerRank[1]+total.ItemsPerRank[2])
		return nil
	})
	require.NoError(t, err)
}

// Every rank reports the error of rank 0, and it names the directory.
func TestNoDirectoryIsAnErrorOnAllRanks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	texts := make([]string, 3)
	err := dlp.Run(t.Context(), len(texts), func(ctx context.Context, world *dlp.Comm) error {
		err := run(ctx, world, options{dir: dir}, &bytes.Buffer{}, &bytes.Buffer{})
		if assert.Error(t, err) {
			texts[world.Rank()] = err.Error()
		}
		return nil
	})
	require.NoError(t, err)
	for rank, text := range texts {
		assert.Contains(t, text, dir+": no such file or directory", "rank %d", rank)
	}
}

// Of equally frequent identifiers, the first by name come first.
func TestShownIdentifiers(t *testing.T) {
	total := newTally(1)
	var names []string
	for i := range 2 * shown {
		name := "n" + strings.Repeat("x", i)
		names = append(names, name)
		total.Identifiers[name] = 1
	}
	s := total.summary("", 0, 0)
	require.Len(t, s.Identifiers, shown)
	for i, id := range s.Identifiers {
		assert.Equal(t, identifier{names[i], 1}, id)
	}
	assert.Equal(t, 2*shown, s.Distinct)
}
