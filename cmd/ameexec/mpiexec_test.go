package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTranslate(t *testing.T) {
	host, err := os.Hostname()
	require.NoError(t, err)
	flags := append(partFlags(), jobFlags()...)
	for line, test := range map[string]struct{ want, notice string }{
		"":                                   {"", ""},
		"-n 2 prog -n2 --oversubscribe":      {"-n 2 prog -n2 --oversubscribe", ""},
		"-n2 -l prog":                        {"-n 2 -l prog", ""},
		"-np2 prog":                          {"-np 2 prog", ""},
		"--n=2 prog":                         {"--n=2 prog", ""},
		"-- -n2":                             {"-- -n2", ""},
		"--oversubscribe -n 2 prog":          {"-n 2 prog", "--oversubscribe: ignored, ameexec starts as many ranks as -n says"},
		"-H " + host + ":4,localhost -n2 p":  {"-n 2 p", "-H: ignored, all ranks are on this machine"},
		"--host=localhost -n2 p":             {"-n 2 p", "--host=localhost: ignored"},
		"--map-by core --n 2 p":              {"--n 2 p", "--map-by: ignored, all ranks are on this machine"},
		"--map-by=core p":                    {"p", "--map-by=core: ignored"},
		"--mca btl self,sm p":                {"p", "--mca: ignored, it is for Open MPI"},
		"-genv A 1 -genvlist B,C -genvall p": {"-x A=1 -x B -x C p", "-genvall: ignored, ranks get the whole environment"},
		"-wd /tmp -prepend-rank p":           {"-wdir /tmp -label p", ""},
		"--wdir /tmp -np 2 p":                {"--wdir /tmp -np 2 p", ""},
		"--frobnicate 3 p":                   {"--frobnicate 3 p", ""},
		"--map-by":                           {"", "--map-by: ignored"},
		"-genv A":                            {"", ""},
		"-n":                                 {"-n", ""},
	} {
		t.Run(line, func(t *testing.T) {
			got, notices, err := translate(strings.Fields(line), flags)
			require.NoError(t, err)
			assert.Equal(t, test.want, strings.Join(got, " "))
			if test.notice == "" {
				assert.Empty(t, notices)
				return
			}
			require.Len(t, notices, 1)
			assert.Contains(t, notices[0], test.notice)
		})
	}
	for line, complaint := range map[string]string{
		"-H node1,node2 p": "-H node1,node2: ameexec starts ranks on this machine only; use srun or mpiexec for several",
		"-f hosts p":       "-f: ameexec starts ranks on this machine only",
		"--ntasks=4 p":     "--ntasks=4: this is an option of srun; say with -n how many ranks to start",
		"-ppn 4 p":         "-ppn: say with -n how many ranks to start",
		"-s all p":         "--pty RANK gives a rank the input",
	} {
		_, _, err := translate(strings.Fields(line), flags)
		assert.ErrorContains(t, err, complaint)
		assert.Equal(t, 2, statusOf(err))
	}
}

// No option of our own is hidden by one of others.
func TestStrangersAreStrange(t *testing.T) {
	for name := range strangers {
		_, known := arguments(name, append(partFlags(), jobFlags()...))
		assert.False(t, known, name)
	}
}

func TestMisplaced(t *testing.T) {
	const hint = " behind the program's name goes to the program; ameexec's own options stand before it: ameexec -n 4 prog"
	for line, want := range map[string]string{
		"prog":         "",
		"prog -n 4":    "-n" + hint,
		"prog a -np 4": "-np" + hint,
		"prog -n4":     "-n4" + hint,
		"prog -n":      "",
		"prog -n file": "",
	} {
		assert.Equal(t, want, misplaced(strings.Fields(line)), line)
	}
}

func TestOptionsOfOthersOnTheCommandLine(t *testing.T) {
	r := run(t, with(ranks("env", "A"), "-n2", "--oversubscribe", "-genv", "A", "1")...)
	assert.Equal(t, result{0, "A=1 true\nA=1 true\n", "ameexec: --oversubscribe: ignored, ameexec starts as many ranks as -n says\n"}, r)
	r = run(t, with(ranks("args"), "-n", "1", "--host", "elsewhere.example")...)
	assert.Equal(t, 2, r.status)
	assert.Contains(t, r.stderr, "this machine only")
	r = run(t, with(ranks("args", "-n", "1"), "-n", "1")...)
	assert.Empty(t, r.stderr, "whoever says -n knows where it stands")
	r = run(t, ranks("args", "-n", "1")...)
	assert.Equal(t, 0, r.status)
	assert.Contains(t, r.stderr, "-n behind the program's name goes to the program")
}
