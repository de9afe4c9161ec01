package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/alive"
	"github.com/dlp-mpi/dlp-go/test/need"
)

const examples = "../../examples/"

// Workers in several languages, each started once for each slot.
func TestWorkers(t *testing.T) {
	upper := "sed -u s/a/A/"
	r := runMap(t, "a b\nab\n", "-q", "-k", "--worker", upper)
	assert.Equal(t, result{0, "A b\nAb\n", ""}, r)

	need.Program(t, "python3")
	r = runMap(t, "6\nseven\n1\n", "-k", "-j", "2", "--json", "--worker", "python3 "+examples+"python/evaluate.py")
	assert.Equal(t, 1, r.status)
	assert.Equal(t, `{"item": "6", "steps": 8}`+"\n"+`{"item": "1", "steps": 0}`+"\n", r.stdout)
	assert.Contains(t, r.stderr, "item 2 (seven) failed on rank 0")
	assert.Contains(t, r.stderr, "ValueError: invalid literal for int()")

	r = runMap(t, "", "-q", "-k", "--range", "1-4", "--worker", "awk -W interactive -f "+examples+"worker/square.awk")
	assert.Equal(t, result{0, "1 1\n2 4\n3 9\n4 16\n", ""}, r)

	path := file(t, "some words\nin a file\n")
	r = runMap(t, path+"\n", "-q", "--worker", examples+"worker/words.sh")
	assert.Equal(t, result{0, path + "\t5\n", ""}, r)
}

// talk is a worker in shell that acts by what the item says.
const talk = `sh -c 'echo "started $DLP_RANK.$DLP_SLOT" >&2; while read -r x; do case $x in
	die) exit 3;; kill) kill -9 $$;; hang) sleep 1000;; twice) printf "a\na\n";; *) echo "$x $DLP_SLOT $OMP_NUM_THREADS";; esac; done'`

func TestWorkersThatFail(t *testing.T) {
	r := runMap(t, "a\ndie\nb\nkill\nc\nhang\nd\ntwice\ne\n", "-k", "-j1", "--timeout", "3", "--worker", talk)
	assert.Equal(t, 1, r.status)
	assert.Equal(t, "a 0 1\nb 0 1\nc 0 1\nd 0 1\ne 0 1\n", r.stdout)
	for _, want := range []string{
		"(die) failed on rank 0 (" + hostname(t) + "): the worker has ended without an answer, exit status 3\n",
		"(kill) failed on rank 0 (" + hostname(t) + "): the worker was killed by signal 9\n",
		"timeout: the worker has not answered for 3s",
		"the worker has answered more than once",
	} {
		assert.Contains(t, r.stderr, want)
	}
	assert.Equal(t, 5, strings.Count(r.stderr, "worker 0.0: started 0.0\n"), r.stderr)
}

func hostname(t *testing.T) string {
	name, err := os.Hostname()
	require.NoError(t, err)
	return name
}

// An item that a worker dies of is tried again, with another one.
func TestWorkersAndRetries(t *testing.T) {
	dir := t.TempDir()
	worker := `sh -c 'cd ` + dir + `; while read -r x; do mkdir $x 2>/dev/null && exit 1; echo $x; done'`
	r := runMap(t, "a\nb\n", "-q", "-k", "-j1", "--retries", "1", "--worker", worker)
	assert.Equal(t, result{0, "a\nb\n", ""}, r)
}

func TestWorkersBadInput(t *testing.T) {
	for text, args := range map[string][]string{
		"no other COMMAND":   {"--worker", "cat", "echo"},
		"not for --worker":   {"--worker", "cat", "--line-buffer"},
		"--json is for":      {"--json", "cat"},
		"has a newline":      {"-0", "--worker", "cat"},
		"not UTF-8":          {"--json", "--worker", "cat", ":::", "\xff"},
		"no JSON object":     {"--json", "--worker", "sed -u s/.*/x/", ":::", "a"},
		"neither value":      {"--json", "--worker", "sed -u s/.*/{}/", ":::", "a"},
		"exit status 127":    {"--worker", "no-such-program-here", ":::", "a"},
		"longer than 16 MiB": {"--worker", "sh -c 'read x; head -c 17000000 /dev/zero; cat'", ":::", "a"},
	} {
		r := runMap(t, "a\nb\x00", args...)
		assert.NotZero(t, r.status, text)
		assert.Contains(t, r.stderr, text)
	}
}

// Long lines in both directions, several at once, neither of which a pipe holds.
func TestWorkersLongLines(t *testing.T) {
	line := strings.Repeat("x", 300_000)
	r := runMap(t, strings.Repeat(line+"\n", 6), "-q", "-n", "3", "--worker", "cat")
	require.Equal(t, 0, r.status, r.stderr)
	assert.True(t, strings.Repeat(line+"\n", 6) == r.stdout, "%d bytes", len(r.stdout))
}

// Workers end when dlp does, also those that do not heed the end of stdin.
func TestWorkersEnd(t *testing.T) {
	a := alive.New(t)
	stubborn := fmt.Sprintf(`sh -c 'trap "" TERM; exec 9>%s; echo hello >&9; while :; do read -r x && echo $x || sleep 1; done'`, a.Path)
	cmd := dlpMap(t, "-j1", "--worker", stubborn)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	fmt.Fprintln(stdin, "a")
	a.Wait(t, 1)
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	cmd.Wait()
	a.Gone(t)
}
