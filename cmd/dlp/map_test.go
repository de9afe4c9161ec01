package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestItems(t *testing.T) {
	tests := map[string]struct {
		stdin string
		args  []string
		want  []string
	}{
		"stdin":         {"b\na c\n", []string{"printf", "<%s>\\n"}, []string{"<a c>", "<b>"}},
		"columns":       {"a,1\nb,2\n", []string{"-C", ",", "echo", "{2}{1}"}, []string{"1a", "2b"}},
		"arguments":     {"", []string{"echo", ":::", "a b", "c"}, []string{"a b", "c"}},
		"product":       {"", []string{"echo", ":::", "a", "b", ":::", "1", "2"}, []string{"a 1", "a 2", "b 1", "b 2"}},
		"range":         {"", []string{"--range", "08-10", "echo", "x{}"}, []string{"x08", "x09", "x10"}},
		"several":       {"1\n2\n3\n", []string{"-n", "2", "echo", "{}", "."}, []string{"1 2 .", "3 ."}},
		"shell lines":   {"echo a | tr a b\nexit 0\n", nil, []string{"b"}},
		"shell command": {"it's\n", []string{"--shell", "echo", "{}", "|", "cat"}, []string{"it's"}},
		"paths":         {"", []string{"echo", "{/.}", "{//}", ":::", "d/a.b"}, []string{"a d"}},
		"nothing":       {"", []string{"echo"}, nil},
		"an empty list": {"", []string{"echo", ":::"}, nil},
		"no stdin":      {"a\n", []string{"-n", "1", "sh", "-c", "cat; echo $0"}, []string{"a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := runMap(t, test.stdin, test.args...)
			assert.Equal(t, 0, r.status, r.stderr)
			assert.Equal(t, test.want, r.lines())
		})
	}
	path := file(t, "x\ny\n")
	r := runMap(t, "not read", "-a", path, "-k", "echo")
	assert.Equal(t, "x\ny\n", r.stdout, r.stderr)
	r = runMap(t, "a\x00b\x00", "-0", "--stdin-item", "-k", "cat")
	assert.Equal(t, "ab", r.stdout, r.stderr)
	r = runMap(t, "a\n", "--dry-run", "cp", "{}", "x y")
	assert.Equal(t, result{0, "cp a 'x y'\n", ""}, r)
}

// What is one item reaches the command as one argument, and stdout, unchanged.
func TestItemsStayAsTheyAre(t *testing.T) {
	items := []string{"", " a  b ", "'\"", "\xff\xfe", "-n", "{}", "$(id)", "a\\nb", "é"}
	r := runMap(t, strings.Join(items, "\x00")+"\x00", "-0", "-k", "printf", "%s\\n", "{}")
	require.Equal(t, 0, r.status, r.stderr)
	assert.Equal(t, strings.Join(items, "\n")+"\n", r.stdout)
}

// Items are worked on as they come; the list need not end.
func TestEndlessStdin(t *testing.T) {
	cmd := dlpMap(t, "echo", "got")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	text := bufio.NewReader(stdout)
	for i := range 3 {
		fmt.Fprintln(stdin, i)
		line, err := text.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("got %d\n", i), line)
	}
	stdin.Close()
	require.NoError(t, cmd.Wait())
}

func TestEnvironment(t *testing.T) {
	cmd := dlpMap(t, "-j", "1", "--retries", "1", "--cpus-per-item", "3", "sh", "-c",
		`env | grep -E '^(DLP_(ITEM|INDEX|RANK|SLOT|ATTEMPT)|OMP_NUM_THREADS|SLURM_.*|PMI_.*|AME_.*)=' | sort | tr '\n' ' '; [ $DLP_ATTEMPT = 2 ]`, "sh", "{}", ":::", "an item")
	cmd.Env = append(cmd.Env, "SLURM_JOB_ID=7", "SLURM_PROCID=0", "SLURM_STEP_ID=3", "SLURM_STEP_NUM_TASKS=1", "SLURM_CPUS_PER_TASK=2",
		"SLURM_ARRAY_TASK_ID=5", "PMI_RANK=0", "AME_BOOTSTRAP=single")
	r := finish(t, cmd)
	require.Equal(t, 0, r.status, r.stderr)
	assert.Equal(t, "AME_BOOTSTRAP=single DLP_ATTEMPT=2 DLP_INDEX=0 DLP_ITEM=an item DLP_RANK=0 DLP_SLOT=0 OMP_NUM_THREADS=3 "+
		"SLURM_ARRAY_TASK_ID=5 SLURM_CPUS_PER_TASK=2 SLURM_JOB_ID=7 ", r.stdout)

	cmd = dlpMap(t, "sh", "-c", "echo $OMP_NUM_THREADS", "sh", "{}", ":::", "1")
	cmd.Env = append(cmd.Env, "OMP_NUM_THREADS=9")
	assert.Equal(t, "9\n", finish(t, cmd).stdout)
}

func TestGPUs(t *testing.T) {
	cmd := dlpMap(t, "-j", "4", "--gpus-per-item", "2", "sh", "-c", `echo "$DLP_SLOT $CUDA_VISIBLE_DEVICES"; sleep 0.1`, "sh", "{}", ":::", "1", "2", "3", "4")
	cmd.Env = append(cmd.Env, "CUDA_VISIBLE_DEVICES=3,5,6,7,8")
	r := finish(t, cmd)
	require.Equal(t, 0, r.status, r.stderr)
	for _, line := range r.lines() {
		assert.Contains(t, []string{"0 3,5", "1 6,7"}, line)
	}
	r = runMap(t, "", "--gpus-per-item", "1", "echo", ":::", "1")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.stderr, "rank 0 on ")
}

// Slots work at the same time: two items that wait for each other both end.
func TestSlotsWorkTogether(t *testing.T) {
	dir := t.TempDir()
	r := runMap(t, "", "-j", "2", "sh", "-c", `cd "$1"; : >"$2"; while ! [ -e "$3" ]; do sleep 0.01; done`, "sh", dir, "{1}", "{2}", ":::", "a", "b", ":::+", "b", "a")
	assert.Equal(t, 0, r.status, r.stderr)
}

func TestJoblog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	r := runMap(t, "", "-j1", "--joblog", path, "--shell", "echo 12345; exit", "{}", ":::", "0", "3")
	assert.Equal(t, 1, r.status)
	host, err := os.Hostname()
	require.NoError(t, err)
	assert.Regexp(t, regexp.MustCompile(`^Seq	Host	Starttime	JobRuntime	Send	Receive	Exitval	Signal	Command
1	\S+	\d{10}\.\d{3}	 {4,}\d+\.\d{3}	0	6	0	0	echo 12345; exit 0
2	\S+	\d{10}\.\d{3}	 {4,}\d+\.\d{3}	0	6	3	0	echo 12345; exit 3
$`), read(t, path))
	assert.Contains(t, read(t, path), "\t"+host+"\t")
}

// With --pipe commands get blocks of lines, which put together are the input, on
// one rank and on several.
func TestPipe(t *testing.T) {
	var input strings.Builder
	for i := range 20_000 {
		fmt.Fprintln(&input, i, strings.Repeat("x", i%100))
	}
	for _, args := range [][]string{{}, {"--block", "64k"}, {"-n", "777"}} {
		r := runMap(t, input.String(), append(args, "-q", "-k", "-j", "2", "--pipe", "cat")...)
		require.Equal(t, 0, r.status, r.stderr)
		assert.True(t, input.String() == r.stdout, "%v", args)
	}
	cmd := underRanks(t, binaries(t), []string{"ameexec", "-n", "3"}, "-q", "-k", "--pipe", "--block", "50k", "cat")
	cmd.Stdin = strings.NewReader(input.String())
	r := finish(t, cmd)
	require.Equal(t, 0, r.status, r.stderr)
	assert.True(t, input.String() == r.stdout)
	r = runMap(t, strings.Repeat("a\n", 10), "-q", "-k", "--pipe", "-n", "4", "wc", "-l")
	assert.Equal(t, []string{"4", "4", "2"}, strings.Fields(r.stdout))
}
