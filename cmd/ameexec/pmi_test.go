package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

// mpiProgram compiles the MPI program that the tests of package pmi use too.
func mpiProgram(t *testing.T) string {
	compiler := need.Program(t, "mpicc.mpich")
	// Docker's tests make and drop interfaces, at which UCX may stumble.
	t.Setenv("UCX_TLS", "self,sm")
	program := filepath.Join(t.TempDir(), "program")
	source := filepath.Join("..", "..", "pmi", "testdata", "mpich-program", "program.c")
	output, err := exec.Command(compiler, "-o", program, source).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return program
}

func TestMPIProgram(t *testing.T) {
	program := mpiProgram(t)
	for _, size := range []string{"1", "2", "3"} {
		r := run(t, "-n", size, program)
		assert.Equal(t, 0, r.status)
		assert.Empty(t, r.stderr)
		got := lines(r.stdout)
		assert.Len(t, got, int(size[0]-'0'))
		for _, line := range got {
			assert.Contains(t, line, " of "+size+" is done")
		}
	}
}

func TestMPIProgramEnds(t *testing.T) {
	program := mpiProgram(t)
	for name, test := range map[string]struct {
		args   []string
		status int
		stderr string // a regular expression
	}{
		"exits":           {[]string{program, "exit", "3"}, 3, `(?s)^ameexec: rank 1 \(pid \d+\) on \S+: exit status 3\n`},
		"aborts":          {[]string{program, "abort", "7"}, 7, `(?m)^ameexec: rank 1 on \S+: aborted the job with exit code 7$`},
		"aborts with 0":   {[]string{program, "abort", "0"}, 0, `(?m)^ameexec: rank 1 on \S+: aborted the job with exit code 0$`},
		"crashes":         {[]string{program, "crash"}, 134, `(?m)^ameexec: rank 1 \(pid \d+\) on \S+: killed by signal 6 \(SIGABRT`},
		"is another":      {[]string{"sh", "-c", `[ $PMI_RANK = 1 ] || exec "$0"`, program}, 1, `(?m)^ameexec: rank 1 on \S+: is gone and never used PMI`},
		"talks nonsense":  {[]string{"sh", "-c", `[ $PMI_RANK = 1 ] || exec "$0"; echo nonsense >&$PMI_FD; exec sleep 60`, program}, 1, `^ameexec: rank 1 on \S+: no cmd= in "nonsense"\nameexec: stopped 2 other ranks\n$`},
		"crashes, others": {[]string{"sh", "-c", `[ $PMI_RANK = 1 ] && exit 5; exec "$0"`, program}, 5, `(?m)^ameexec: rank 1 \(pid \d+\) on \S+: exit status 5$`},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, with(test.args, "-n", "3")...)
			assert.Equal(t, test.status, r.status, r.stderr)
			assert.Regexp(t, regexp.MustCompile(test.stderr), r.stderr)
			about := regexp.MustCompile(`(?m)^ameexec: rank 1 .*$`).FindAllString(r.stderr, -1)
			assert.Len(t, about, 1, "one line about the rank that failed")
		})
	}
}

// Our own client at our own server: a program started by ameexec uses method
// ame, unless it is told otherwise.
func TestPMIMethodUnderAmeexec(t *testing.T) {
	for method, options := range map[string][]string{"ame": nil, "pmi": {"-x", "AME_BOOTSTRAP=pmi"}} {
		r := run(t, with(ranks("join", "1"), append(options, "-n", "4")...)...)
		require.Equal(t, 0, r.status, r.stdout+r.stderr)
		got := lines(r.stdout)
		slices.Sort(got)
		require.Len(t, got, 4)
		for rank, line := range got {
			assert.True(t, strings.HasPrefix(line, method+" "+string(rune('0'+rank))+"/4 "), line)
		}
	}
}

// Ranks of an mpiexec that a rank of ameexec has started are of its job. They
// inherit our descriptors all the same.
func TestHydraBelowAmeexec(t *testing.T) {
	hydra := need.Program(t, "mpiexec.hydra")
	for _, options := range [][]string{nil, {"-pmi-port"}} {
		nested := append([]string{"-n", "2", hydra, "-n", "3"}, options...)
		r := run(t, with(ranks("join", "1"), nested...)...)
		require.Equal(t, 0, r.status, r.stdout+r.stderr)
		var got []string
		for _, line := range lines(r.stdout) {
			place, _, _ := strings.Cut(line, " session")
			got = append(got, place)
		}
		slices.Sort(got)
		assert.Equal(t, []string{"pmi 0/3", "pmi 0/3", "pmi 1/3", "pmi 1/3", "pmi 2/3", "pmi 2/3"}, got)
	}
}

func TestPMIVariables(t *testing.T) {
	names := []string{"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"}
	r := run(t, with(ranks("env", names...), "-n", "1")...)
	assert.Equal(t, []string{"PMI_RANK=0 true", "PMI_SIZE=1 true", "MPI_LOCALRANKID=0 true", "MPI_LOCALNRANKS=1 true"}, lines(r.stdout))
	r = run(t, with(ranks("env", append(names, "PMI_FD")...), "-n", "1", "--pmi", "none")...)
	assert.Equal(t, []string{"PMI_RANK= false", "PMI_SIZE= false", "MPI_LOCALRANKID= false", "MPI_LOCALNRANKS= false", "PMI_FD= false"}, lines(r.stdout))
	r = run(t, with(ranks("args"), "-n", "1", "--pmi", "2")...)
	assert.Equal(t, 2, r.status)
	assert.Contains(t, r.stderr, "--pmi 2: use 1 or none")
}

// A program of another MPI comes up as so many worlds of one rank, which looks
// like success.
func TestProgramOfAnotherMPIIsNamed(t *testing.T) {
	compiler := need.Program(t, "gcc")
	dir := t.TempDir()
	build := func(output, source string, options ...string) string {
		output = filepath.Join(dir, output)
		require.NoError(t, os.WriteFile(output+".c", []byte(source), 0o644))
		text, err := exec.CommandContext(patient(t), compiler, append([]string{"-o", output, output + ".c", "-Wl,-rpath," + dir}, options...)...).CombinedOutput()
		require.NoError(t, err, "%s", text)
		return output
	}
	library := build("libmpi.so.40", "int MPI_Init(int *c, char ***v) { return 0; }", "-shared", "-Wl,-soname,libmpi.so.40")
	program := build("program", "int MPI_Init(int *, char ***); int main(int c, char **v) { return MPI_Init(&c, &v); }", library)
	r := run(t, "-n", "2", program)
	assert.Equal(t, 0, r.status)
	assert.Regexp(t, `^ameexec: program is linked with libmpi\.so\.\d+, but no rank has used PMI-1, .*: if they called MPI_Init, each is rank 0 of 1; start it with the mpiexec of its MPI\n$`, r.stderr)
	for _, options := range [][]string{{"-n", "1"}, {"-n", "2", "--pmi", "none"}} {
		assert.Empty(t, run(t, with([]string{program}, options...)...).stderr)
	}
	assert.Empty(t, linkedWithMPI("/bin/sh"))
	assert.Empty(t, linkedWithMPI(program+".c"))
}

// A client of PMI-2 is told by us what it does not say itself.
func TestClientOfPMI2IsNamed(t *testing.T) {
	r := run(t, "-n", "2", "bash", "-c", `echo cmd=init pmi_version=2 pmi_subversion=0 >&$PMI_FD; read -r line <&$PMI_FD; echo "$line"`)
	assert.Equal(t, 0, r.status)
	assert.Equal(t, 2, strings.Count(r.stdout, "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=-1\n"))
	assert.Regexp(t, `^ameexec: rank [01] on \S+ asked for PMI version 2\.0, this server speaks 1\.1 only: start it with the mpiexec of its MPI, or with --pmi none to let each rank run alone\n$`, r.stderr)
}

func TestSpawnIsNamed(t *testing.T) {
	r := run(t, "-n", "2", "bash", "-c", `printf 'mcmd=spawn\nnprocs=1\nexecname=worker\nendcmd\n' >&$PMI_FD; read -r line <&$PMI_FD; echo "$line"`)
	assert.Equal(t, "cmd=spawn_result rc=-1\ncmd=spawn_result rc=-1\n", r.stdout)
	assert.Regexp(t, `^ameexec: rank [01] on \S+ asked to spawn "worker" \(MPI_Comm_spawn\), which this server does not do: start all ranks at once, with -n and colons\n$`, r.stderr)
}
