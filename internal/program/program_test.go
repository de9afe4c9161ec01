package program

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/process"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

func TestFit(t *testing.T) {
	sub := func(args string, change func(*Program)) Program {
		p := Program{Build: digest("sub"), Args: digest(args), Command: "sub " + args, Parent: Other}
		if change != nil {
			change(&p)
		}
		return p
	}
	direct := func(p *Program) { p.Parent = Launcher }
	mpmd := func(p *Program) { p.MPMD = true }
	in := func(dir string) func(*Program) { return func(p *Program) { p.Dir = dir } }
	both := func(f, g func(*Program)) func(*Program) { return func(p *Program) { f(p); g(p) } }
	for name, test := range map[string]struct {
		p, q Program
		want Fit
	}{
		"the same, behind a script":         {sub("0", nil), sub("0", nil), Same},
		"the same, one of them direct":      {sub("0", direct), sub("0", nil), Same},
		"arguments differ, behind a script": {sub("0", nil), sub("1000", nil), Foreign},
		"arguments differ, one direct":      {sub("0", direct), sub("1000", nil), Foreign},
		"arguments differ, both direct":     {sub("0", direct), sub("1000", direct), Meant},
		"another application":               {sub("0", nil), sub("1000", func(p *Program) { p.App = 1 }), Meant},
		"MPMD on both":                      {sub("0", mpmd), sub("1000", mpmd), Meant},
		"MPMD on one":                       {sub("0", mpmd), sub("1000", nil), Foreign},
		"not to be seen":                    {sub("0", nil), sub("1000", func(p *Program) { p.Parent = Unseen }), Doubtful},
		"directories differ":                {sub("0", in("/a")), sub("0", in("/b")), Foreign},
		"directories differ, both direct":   {sub("0", both(direct, in("/a"))), sub("0", both(direct, in("/b"))), Meant},
		"directories differ, MPMD":          {sub("0", both(mpmd, in("/a"))), sub("0", both(mpmd, in("/b"))), Meant},
		"one directory":                     {sub("0", in("/a")), sub("0", in("/a")), Same},
		"one directory says nothing":        {sub("0", in("/a")), sub("0", in("")), Same},
		"another build":                     {sub("0", nil), sub("0", func(p *Program) { p.Build = digest("other") }), Foreign},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, test.p.Fit(test.q))
			assert.Equal(t, test.want, test.q.Fit(test.p))
		})
	}
	text := sub("1000", nil).Difference(2, sub("0", nil), 0)
	for _, part := range []string{"rank 2 runs sub 1000 and rank 0 runs sub 0", "exec", "AME_MPMD=1", "AME_BOOTSTRAP=single"} {
		assert.Contains(t, text, part)
	}
	assert.Contains(t, sub("0", in("/a")).Difference(0, sub("0", in("/b")), 1), "rank 0 runs sub 0 in /a and rank 1 runs sub 0 in /b, and a script is between them")
	unseen := func(p *Program) { p.Parent = Unseen }
	assert.Contains(t, sub("1", unseen).Difference(1, sub("2", nil), 0), "cannot be seen")
	assert.Contains(t, sub("1", nil).Difference(1, sub("1", func(p *Program) { p.Build = digest("x") }), 0), "(build ")
}

func TestCommandLine(t *testing.T) {
	assert.Equal(t, `sub 0 "a b" "" --seed=1`, commandLine([]string{"/bin/sub", "0", "a b", "", "--seed=1"}))
	long := commandLine([]string{"sub", strings.Repeat("ü", 1000)})
	assert.LessOrEqual(t, len(long), maxCommand)
	assert.True(t, strings.HasSuffix(long, "..."))
}

func TestWire(t *testing.T) {
	p := This(fakeenv.Map{"AME_MPMD": "1"}.Lookup, -3)
	assert.True(t, p.MPMD)
	got, rest, err := Parse(append(p.AppendTo(nil), "rest"...))
	require.NoError(t, err)
	assert.Equal(t, p, got)
	assert.Equal(t, "rest", string(rest))
	odd := Program{Command: "a\nb\xff"}
	got, _, err = Parse(odd.AppendTo(nil))
	require.NoError(t, err)
	assert.Equal(t, "a?b?", got.Command)
	t.Chdir(lastResort)
	assert.Empty(t, This(fakeenv.Map{}.Lookup, 0).Dir, "Slurm's choice")
	whole := p.AppendTo(nil)
	for n := range whole {
		_, _, err := Parse(whole[:n])
		require.Error(t, err, n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(This(fakeenv.Map{}.Lookup, 0).AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, _, err := Parse(b)
		if err != nil {
			return
		}
		again, rest, err := Parse(p.AppendTo(nil))
		if err != nil || len(rest) > 0 || again != p && len(p.Command) <= maxCommand && len(p.Dir) <= maxDir {
			t.Fatalf("%v becomes %v: %v", p, again, err)
		}
	})
}

func TestParentOf(t *testing.T) {
	table := func(names ...string) func(int) (process.Info, error) { // names of processes 1, 2, ...; "" is hidden
		return func(pid int) (process.Info, error) {
			if names[pid-1] == "" {
				return process.Info{}, errors.New("hidden")
			}
			return process.Info{PID: pid, Parent: pid - 1, Name: names[pid-1]}, nil
		}
	}
	for name, test := range map[string]struct {
		names []string // from process 1 down to the parent
		all   bool
		want  Parent
	}{
		"slurmstepd":                      {[]string{"systemd", "slurmstepd"}, true, Launcher},
		"slurmstepd, in a container":      {[]string{"tini", "slurmd", "slurmstepd"}, false, Launcher},
		"script":                          {[]string{"systemd", "slurmstepd", "bash"}, true, Other},
		"script in a script":              {[]string{"systemd", "hydra_pmi_proxy", "bash", "parallel", "sh"}, true, Other},
		"no launcher":                     {[]string{"systemd", "sshd", "bash"}, true, Other},
		"no launcher, in a container":     {[]string{"sh"}, false, Unseen},
		"hidden":                          {[]string{"systemd", ""}, true, Unseen},
		"hidden, behind a script":         {[]string{"systemd", "", "bash"}, true, Unseen},
		"outside of our namespace":        {nil, false, Unseen},
		"Open MPI's mpiexec on this node": {[]string{"systemd", "bash", "mpiexec.openmpi"}, true, Launcher},
	} {
		t.Run(name, func(t *testing.T) {
			self := process.Info{PID: len(test.names) + 1, Parent: len(test.names)}
			assert.Equal(t, test.want, parentOf(self, table(test.names...), test.all))
		})
	}
}

// Copies of one executable are one program, a file of other contents is not.
func TestBuildID(t *testing.T) {
	id := buildID()
	require.NotEmpty(t, id)
	if runtime.GOOS != "linux" {
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	content, err := os.ReadFile(self)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.WriteFile(copied, content, 0o700))
	assert.Equal(t, id, noteOf(copied))
	shell, err := exec.LookPath("sh")
	require.NoError(t, err)
	assert.Empty(t, noteOf(shell))
	assert.Empty(t, noteOf(t.TempDir()))
}
