package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExitStatus(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, []byte("no program\n"), 0o644))
	shapeless := filepath.Join(dir, "shapeless")
	require.NoError(t, os.WriteFile(shapeless, []byte("no program\n"), 0o755))
	lost := filepath.Join(dir, "lost")
	require.NoError(t, os.WriteFile(lost, []byte("#!/no/such/interpreter\n"), 0o755))

	for name, test := range map[string]struct {
		args   []string
		status int
		stderr string // a regular expression
	}{
		"empty name":         {[]string{"-n", "2", ""}, 2, `^ameexec: the name of the program is empty\n$`},
		"success":            {with(ranks("args"), "-n", "3"), 0, `^$`},
		"np":                 {with(ranks("args"), "-np", "3"), 0, `^$`},
		"failure":            {with(ranks("exit", "2", "7"), "-n", "4"), 7, `^ameexec: rank 2 \(pid \d+\) on \S+: exit status 7\nameexec: stopped 3 other ranks\n$`},
		"signal":             {with(ranks("die", "1", "9"), "-n", "2"), 137, `^ameexec: rank 1 \(pid \d+\) on \S+: killed by signal 9 \(SIGKILL\)\nameexec: stopped 1 other rank\n$`},
		"no such program":    {[]string{"-n", "2", "no-such-program"}, 127, `^ameexec: no-such-program: not found in PATH\n$`},
		"no such file":       {[]string{"-n", "2", "./no-such-program"}, 127, `no such file`},
		"not executable":     {[]string{"-n", "2", plain}, 126, `not executable; chmod \+x`},
		"a directory":        {[]string{"-n", "2", dir}, 126, `is a directory`},
		"no format":          {[]string{"-n", "2", shapeless}, 126, `start of rank 0: .*needs a first line such as #!/bin/sh`},
		"no interpreter":     {[]string{"-n", "2", lost}, 126, `its interpreter`},
		"second not found":   {append(with(ranks("exit", "0", "1"), "-n", "1"), ":", "-n", "1", "no-such-program"), 127, `program 2: no-such-program: not found in PATH`},
		"timeout":            {with(ranks("exit", "9", "1"), "-n", "2", "--timeout", "0.2"), 124, `^ameexec: timeout: 200ms have passed\n`},
		"continue":           {with(ranks("print", "", ""), "--continue", "-n", "2"), 0, `^$`},
		"zero ranks":         {with(ranks("args"), "-n", "0"), 2, `invalid value "0" for flag -n: a job has at least one rank`},
		"negative":           {with(ranks("args"), "-n", "-3"), 2, `invalid value "-3" for flag -n: a job has at least one rank`},
		"no number":          {with(ranks("args"), "-n", "four"), 2, `invalid value "four" for flag -n: want a number of ranks, such as -n 4`},
		"unknown option":     {with(ranks("args"), "--frobnicate"), 2, `not defined: -frobnicate; see ameexec --help`},
		"no program":         {[]string{"-n", "2"}, 2, `no program given`},
		"nothing":            {nil, 2, `no program given`},
		"after the colon":    {append(with(ranks("args"), "-n", "1"), ":", "-n", "1"), 2, `program 2: no program given`},
		"colon without n":    {append(with(ranks("args"), "-n", "1"), ":", "prog"), 2, `say with -n how many ranks`},
		"late option":        {append(with(ranks("args"), "-n", "1"), ":", "-n", "1", "--label", "prog"), 2, `after a colon only -n, -x and --wdir`},
		"pty out of range":   {with(ranks("args"), "-n", "2", "--pty", "2"), 2, `--pty 2: the ranks are 0 to 1`},
		"bind to what":       {with(ranks("args"), "-n", "2", "--bind-to", "socket"), 2, `--bind-to socket: use core or none`},
		"grace is no time":   {with(ranks("args"), "--grace", "soon"), 2, `want a duration`},
		"no such directory":  {with(ranks("args"), "--wdir", dir+"/no"), 1, `no such directory`},
		"x without name":     {with(ranks("args"), "-x", "=1"), 2, `want NAME or NAME=VALUE`},
		"x that is not set":  {with(ranks("args"), "-n", "1", "-x", "NO_SUCH_VARIABLE"), 0, `-x NO_SUCH_VARIABLE: not set here`},
		"output dir is file": {with(ranks("args"), "--output-dir", plain), 1, `--output-dir`},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, test.args...)
			assert.Equal(t, test.status, r.status)
			assert.Regexp(t, regexp.MustCompile(test.stderr), r.stderr)
		})
	}
}

// A job that is refused must not have started anything.
func TestLimits(t *testing.T) {
	for limit, complaint := range map[string]string{
		"nproc=5":   "ameexec: -n 6: the limit of processes is 5 (ulimit -u)\n",
		"nofile=40": "ameexec: -n 6: needs 68 open files, the limit is 40 (ulimit -Hn)\n",
	} {
		cmd := command(t, with(ranks("args"), "-n", "6")...)
		cmd.Args = slices.Insert(cmd.Args, 1, "limited", limit)
		r := finishRun(t, cmd)
		assert.Equal(t, 1, r.status)
		assert.Equal(t, complaint, r.stderr)
		assert.Empty(t, r.stdout)
	}
}

func TestContinueReportsEveryFailure(t *testing.T) {
	args := with([]string{"/bin/sh", "-c", "exit $AME_RANK"}, "--continue", "-n", "4")
	r := run(t, args...)
	assert.Contains(t, []int{1, 2, 3}, r.status)
	reported := lines(r.stderr)
	slices.Sort(reported)
	require.Len(t, reported, 3)
	for i, line := range reported {
		assert.Regexp(t, regexp.MustCompile(`^ameexec: rank (\d) \(pid \d+\) on \S+: exit status \d$`), line)
		assert.Contains(t, line, "rank "+string(rune('1'+i)))
	}
}

func TestArgumentsArePassedOn(t *testing.T) {
	r := run(t, with(ranks("args", "-n", "5", "--label", "--", "-x", "\xff\xfe", ""), "-n", "1")...)
	assert.Equal(t, `["-n" "5" "--label" "--" "-x" "\xff\xfe" ""]`+"\n", r.stdout)
	r = run(t, with(ranks("args", "a"), "-n", "1", "--")...)
	assert.Equal(t, `["a"]`+"\n", r.stdout)
}

func TestSeveralPrograms(t *testing.T) {
	args := with(ranks("env", "AME_RANK", "AME_SIZE", "A", "B"), "-l", "-n", "2", "-x", "A=1,2 ")
	args = append(args, ":", "-n", "1", "-x", "B=2")
	args = append(args, ranks("env", "AME_RANK", "A", "B")...)
	r := run(t, args...)
	require.Equal(t, 0, r.status, r.stderr)
	got := lines(r.stdout)
	slices.Sort(got)
	assert.Equal(t, []string{
		"0: A=1,2  true", "0: AME_RANK=0 true", "0: AME_SIZE=3 true", "0: B= false",
		"1: A=1,2  true", "1: AME_RANK=1 true", "1: AME_SIZE=3 true", "1: B= false",
		"2: A=1,2  true", "2: AME_RANK=2 true", "2: B=2 true",
	}, got)
}

func TestForeignVariablesAreDropped(t *testing.T) {
	cmd := command(t, with(ranks("env", "PMI_SUBVERSION", "SLURM_PROCID", "SLURM_STEP_ID", "SLURM_JOB_ID", "AME_HOST", "AME_TIMEOUT", "OMPI_COMM_WORLD_RANK"),
		"-n", "1", "-x", "OMPI_COMM_WORLD_RANK")...)
	cmd.Env = append(cmd.Env, "PMI_SUBVERSION=2", "SLURM_PROCID=1", "SLURM_STEP_ID=1", "SLURM_JOB_ID=1", "AME_HOST=1", "AME_TIMEOUT=1", "OMPI_COMM_WORLD_RANK=1")
	assert.Equal(t, []string{
		"PMI_SUBVERSION= false", "SLURM_PROCID= false", "SLURM_STEP_ID= false", "SLURM_JOB_ID=1 true",
		"AME_HOST= false", "AME_TIMEOUT=1 true", "OMPI_COMM_WORLD_RANK=1 true",
	}, lines(finishRun(t, cmd).stdout))
}

func TestWorkingDirectory(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	r := run(t, with(ranks("dir"), "-n", "1", "--wdir", dir)...)
	assert.Equal(t, dir+" "+dir+"\n", r.stdout)
}

func TestStdin(t *testing.T) {
	for name, test := range map[string]struct {
		options []string
		want    []string
	}{
		"rank 0":   {nil, []string{"inputrank 0 read 5", "rank 1 read 0", "rank 2 read 0"}},
		"rank 2":   {[]string{"--pty", "2"}, []string{"inputrank 2 read 5", "rank 0 read 0", "rank 1 read 0"}},
		"no rank":  {[]string{"--pty", "-1"}, []string{"rank 0 read 0", "rank 1 read 0", "rank 2 read 0"}},
		"no stdin": {nil, []string{"rank 0 read 0", "rank 1 read 0", "rank 2 read 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, with(ranks("cat"), append(test.options, "-n", "3")...)...)
			if name != "no stdin" {
				cmd.Stdin = strings.NewReader("input")
			}
			got := lines(finishRun(t, cmd).stdout)
			slices.Sort(got)
			assert.Equal(t, test.want, got)
		})
	}
}

// What hydra cannot do: several jobs one after another under one launcher.
func TestRanksJoin(t *testing.T) {
	program := []string{"/bin/sh", "-c", `"$0" rank join 1; "$0" rank join 2`, os.Args[0]}
	r := run(t, with(program, "-l", "-n", "3")...)
	require.Equal(t, 0, r.status, r.stdout+r.stderr)
	got := lines(r.stdout)
	slices.Sort(got)
	var want []string
	for _, rank := range []string{"0", "1", "2"} {
		for _, session := range []string{"1", "2", "3"} {
			want = append(want, rank+": ame "+rank+"/3 session "+session+" root 1")
		}
	}
	assert.Equal(t, want, got)
}

func TestDebug(t *testing.T) {
	r := run(t, with(ranks("join", "1"), "--debug", "-n", "2")...)
	require.Equal(t, 0, r.status)
	for _, part := range []string{"method=ame", "rank 0 listens", "127.0.0.1:", "rank=1 pid=", `how="exit status 0"`} {
		assert.Contains(t, r.stderr, part)
	}
}

func TestVersionAndHelp(t *testing.T) {
	r := run(t, "--version")
	assert.Equal(t, 0, r.status)
	assert.Contains(t, r.stdout, "ameexec version ")
	r = run(t, "--help")
	assert.Equal(t, 0, r.status)
	assert.Contains(t, r.stdout, "--bind-to")
}
