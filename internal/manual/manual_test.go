package main

import (
	"go/doc/comment"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/clidoc"
	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/need"
)

func TestMain(m *testing.M) { os.Exit(deadline.Each(m).Run()) }

// Every command has a page with its options and the sections of its package
// comment, and completions.
func TestAllCommands(t *testing.T) {
	t.Chdir("../..")
	to := t.TempDir()
	bin := filepath.Join(to, "bin") + "/"
	out, err := exec.Command("go", "build", "-o", bin, "./cmd/...").CombinedOutput()
	require.NoError(t, err, "%s", out)
	folders, err := os.ReadDir("cmd")
	require.NoError(t, err)
	var names []string
	for _, folder := range folders {
		names = append(names, folder.Name())
	}
	require.NoError(t, run(to, bin, names))
	for _, name := range names {
		page, err := os.ReadFile(filepath.Join(to, "share/man/man1", name+".1"))
		require.NoError(t, err)
		for _, text := range []string{".SH SYNOPSIS\n", ".SH DESCRIPTION\n", ".SH OPTIONS\n.TP\n", ".SH EXIT STATUS\n", `\fB\-\-help\fR`} {
			assert.Contains(t, string(page), text, name)
		}
		for _, path := range []string{"bash-completion/completions/" + name, "zsh/site-functions/_" + name, "fish/vendor_completions.d/" + name + ".fish"} {
			text, err := os.ReadFile(filepath.Join(to, "share", path))
			require.NoError(t, err)
			assert.Contains(t, string(text), "help", path)
		}
	}
	page, err := os.ReadFile(filepath.Join(to, "share/man/man7/dlp-go.7"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "AME_TIMEOUT")
}

var launcher = clidoc.Command{
	Name: "my-exec", Usage: "start", Synopsis: "my-exec [options] PROGRAM [ARGS...]", Version: "v1",
	Options: []clidoc.Option{
		{Names: []string{"n", "np"}, Usage: "start N ranks", Value: "N", Default: "1"},
		{Names: []string{"label", "l"}, Usage: "it's a label"},
	},
}

func TestPage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(`// My-exec starts [Ranks].
//
//	my-exec -n 4
//
// # Rules
//
//   - .one
package main
`), 0o644))
	about, err := packageComment(filepath.Dir(file))
	require.NoError(t, err)
	assert.Equal(t, `.TH "MY-EXEC" 1 "" "dlp-go v1"
.SH NAME
my\-exec \- start
.SH SYNOPSIS
.B my\-exec [options] PROGRAM [ARGS...]
.SH DESCRIPTION
.PP
My\-exec starts [Ranks].
.PP
.nf
.RS 4
my\-exec \-n 4
.RE
.fi
.SH OPTIONS
.TP
\fB\-n\fR, \fB\-\-np\fR \fIN\fR
start N ranks (default: 1)
.TP
\fB\-\-label\fR, \fB\-l\fR
it's a label
.SH RULES
.IP \(bu 2
\&.one
.SH SEE ALSO
.BR dlp-go (7)
`, commandPage(launcher, about))
}

// What bash offers where the cursor is.
func TestBash(t *testing.T) {
	shell := need.Program(t, "bash")
	tests := []struct{ line, want string }{
		{"my-exec -", "-n --np --label -l"},
		{"my-exec -n 4 --l", "--label"},
		{"my-exec -n -", ""},            // the value of -n is not an option
		{"my-exec -l program --la", ""}, // the program's own
		{"my-exec -l bas", "bash"},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			script := bash(launcher) + `
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_my_exec; printf "%s " "${COMPREPLY[@]}"`
			cmd := exec.Command(shell, append([]string{"-c", script, "bash"}, strings.Fields(test.line)...)...)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			got := strings.TrimSpace(string(out))
			if strings.HasPrefix(test.want, "bash") {
				assert.Contains(t, strings.Fields(got), test.want)
			} else {
				assert.Equal(t, test.want, got)
			}
		})
	}
}

var several = clidoc.Command{
	Name: "my-tool", Synopsis: "my-tool run FILE", Options: []clidoc.Option{{Names: []string{"help"}, Usage: "help"}},
	Commands: []clidoc.Command{
		{Name: "run", Synopsis: "my-tool run FILE", Usage: "run it", Options: []clidoc.Option{{Names: []string{"j"}, Value: "N", Usage: "at once"}}},
		{Name: "show", Synopsis: "my-tool show", Usage: "show it"},
	},
}

// A command whose first argument names another one.
func TestCommandsOfACommand(t *testing.T) {
	page := commandPage(several, &comment.Doc{})
	assert.Contains(t, page, ".B my\\-tool run FILE\n.br\n.B my\\-tool show\n")
	assert.Contains(t, page, ".SH OPTIONS OF MY\\-TOOL RUN\n.TP\n\\fB\\-j\\fR \\fIN\\fR\nat once\n")
	assert.Contains(t, zsh(several), "\t'-j[at once]:N:' \\\n\t'1:command:(run show)' \\\n")
	assert.Contains(t, fish(several), "complete -c my-tool -n __fish_use_subcommand -a show -d 'show it'\n")

	shell := need.Program(t, "bash")
	for line, want := range map[string]string{"my-tool r": "run", "my-tool run -": "--help -j", "my-tool run -j -": "", "my-tool run file -": ""} {
		script := bash(several) + `
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_my_tool; printf "%s " "${COMPREPLY[@]}"`
		out, err := exec.Command(shell, append([]string{"-c", script, "bash"}, strings.Fields(line)...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Equal(t, want, strings.TrimSpace(string(out)), line)
	}
}

func TestZshAndFish(t *testing.T) {
	assert.Equal(t, `#compdef my-exec

_arguments -S \
	'-n[start N ranks]:N:' \
	'--np[start N ranks]:N:' \
	'--label[it'\''s a label]' \
	'-l[it'\''s a label]' \
	'(-)1:program:_command_names -e' \
	'*::arguments:_normal'
`, zsh(launcher))
	assert.Equal(t, `complete -c my-exec -s n -l np -r -d 'start N ranks'
complete -c my-exec -l label -s l -d 'it\'s a label'
complete -c my-exec -n __fish_is_first_arg -xa '(__fish_complete_command)'
`, fish(launcher))
}
