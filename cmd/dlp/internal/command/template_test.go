package command

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/source"
)

func item(columns ...string) source.Item { return source.Item{Columns: columns} }

func TestArgs(t *testing.T) {
	one, two := item("dir/a b.tar.gz"), item("x.c", "it's")
	tests := map[string]struct {
		command string
		item    source.Item
		want    []string
	}{
		"appended":              {"ls -l", one, []string{"ls", "-l", "dir/a b.tar.gz"}},
		"in place":              {"cp {} /tmp", one, []string{"cp", "dir/a b.tar.gz", "/tmp"}},
		"inside":                {"--in={}.txt", one, []string{"--in=dir/a b.tar.gz.txt"}},
		"paths":                 {"{.} {/} {//} {/.}", one, []string{"dir/a b.tar", "a b.tar.gz", "dir", "a b.tar"}},
		"columns":               {"{2} {1} {1.}", two, []string{"it's", "x.c", "x"}},
		"columns, appended":     {"cc", two, []string{"cc", "x.c", "it's"}},
		"columns, inside":       {"[{}]", two, []string{"[x.c it's]"}},
		"number and slot":       {"{#}/{%} {}", item("i"), []string{"7/3", "i"}},
		"number alone":          {"echo {#}", item("i"), []string{"echo", "7", "i"}},
		"twice":                 {"{}{} {}", item("i"), []string{"ii", "i"}},
		"nothing of ours":       {"awk {print} {0} {x} {}", item("i"), []string{"awk", "{print}", "{0}", "{x}", "i"}},
		"program is the item":   {"{}", item("/bin/ls"), []string{"/bin/ls"}},
		"replaced text is text": {"{1} {2}", item("{2}", "{}"), []string{"{2}", "{}"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := Parse(strings.Fields(test.command), Mode{})
			require.NoError(t, err)
			args, err := template.Args(Values{Item: test.item, Number: 7, Slot: 3})
			require.NoError(t, err)
			assert.Equal(t, test.want, args)
		})
	}
}

func TestArgsRefused(t *testing.T) {
	template, err := Parse([]string{"echo", "{9}"}, Mode{})
	require.NoError(t, err)
	_, err = template.Args(Values{Item: item("a", "b")})
	assert.EqualError(t, err, "{9}: the item has 2 columns; --colsep cuts lines into columns")

	for _, command := range [][]string{{"echo"}, {"echo", "x{}"}, {"echo", "{1}"}, nil} {
		template, err := Parse(command, Mode{})
		require.NoError(t, err)
		_, err = template.Args(Values{Item: item("a\x00b")})
		assert.ErrorContains(t, err, "NUL byte", command)
	}

	_, err = Parse(nil, Mode{Stdin: true})
	assert.ErrorContains(t, err, "there is none")
}

func TestModes(t *testing.T) {
	stdin, err := Parse([]string{"wc", "-c"}, Mode{Stdin: true})
	require.NoError(t, err)
	args, err := stdin.Args(Values{Item: item("a\x00b")})
	require.NoError(t, err)
	assert.Equal(t, []string{"wc", "-c"}, args)

	lines, err := Parse(nil, Mode{})
	require.NoError(t, err)
	args, err = lines.Args(Values{Item: item("echo a | tr a b")})
	require.NoError(t, err)
	assert.Equal(t, []string{"/bin/sh", "-c", "echo a | tr a b"}, args)
	assert.Equal(t, "echo a | tr a b", Line(args))
}

func TestFixedProgram(t *testing.T) {
	for text, want := range map[string]bool{"echo {}": true, "{}": false, "x{/} a": false, "": false} {
		template, err := Parse(strings.Fields(text), Mode{})
		require.NoError(t, err)
		assert.Equal(t, want, template.FixedProgram(), text)
	}
	template, err := Parse([]string{"echo"}, Mode{Shell: true})
	require.NoError(t, err)
	assert.False(t, template.FixedProgram())
}

// What is quoted comes out of a real shell as it was.
func TestShellKeepsItemsWhole(t *testing.T) {
	nasty := []string{"", "a b", "it's", `"`, `\`, "$HOME", "`id`", "*", "~", "a\nb", "!x", "#", ";&|<>()", "\xff\x01", "-n", "{}", "é"}
	template, err := Parse([]string{"printf", "%s:", "{}", "|", "cat"}, Mode{Shell: true})
	require.NoError(t, err)
	for _, text := range nasty {
		args, err := template.Args(Values{Item: item(text)})
		require.NoError(t, err)
		out, err := exec.Command(args[0], args[1:]...).Output()
		require.NoError(t, err, "%q", args)
		assert.Equal(t, text+":", string(out))

		out, err = exec.Command("/bin/sh", "-c", Line([]string{"printf", "%s:", text})).Output()
		require.NoError(t, err)
		assert.Equal(t, text+":", string(out))
	}
}

func TestCut(t *testing.T) {
	tests := []struct{ text, noExtension, base, dir, bare string }{
		{"a.b", "a", "a.b", ".", "a"},
		{"a", "a", "a", ".", "a"},
		{"/a.b/c", "/a.b/c", "c", "/a.b", "c"},
		{".bashrc", ".bashrc", ".bashrc", ".", ".bashrc"},
		{"d/.x.y", "d/.x", ".x.y", "d", ".x"},
		{"d/", "d/", "", "d", ""},
		{"", "", "", ".", ""},
	}
	for _, test := range tests {
		assert.Equal(t, test, struct{ text, noExtension, base, dir, bare string }{
			test.text, cut(test.text, "."), cut(test.text, "/"), cut(test.text, "//"), cut(test.text, "/."),
		})
	}
}
