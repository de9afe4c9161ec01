package dlpgo_test

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

	"github.com/dlp-mpi/dlp-go/test/mpi"
)

// pages are all pages that users read.
func pages(t *testing.T) map[string]string {
	paths, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	all := make(map[string]string)
	for _, path := range append(paths, "README.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		all[path] = string(text)
	}
	return all
}

// Whole programs in the pages compile and, started without a launcher, print
// what the block behind them says.
func TestProgramsInPages(t *testing.T) {
	programs := regexp.MustCompile("(?s)```go\n(package main\n.*?)```\n\n```output\n(.*?)```")
	found := 0
	for path, text := range pages(t) {
		for _, match := range programs.FindAllStringSubmatch(text, -1) {
			found++
			assert.Equal(t, match[2], runProgram(t, match[1]), "a program in %s", path)
		}
	}
	assert.GreaterOrEqual(t, found, 3)
}

// runProgram runs a program in a module of its own, as a user's would be.
func runProgram(t *testing.T, source string) (stdout string) {
	here, err := os.Getwd()
	require.NoError(t, err)
	dir := t.TempDir()
	ours, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	_, requirements, _ := strings.Cut(string(ours), "require (")
	requirements, _, _ = strings.Cut(requirements, "\ntool ")
	sums, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	for name, text := range map[string]string{
		"main.go": source,
		"go.sum":  string(sums),
		"go.mod": "module example\n\ngo 1.25.0\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + here +
			"\n\nrequire (" + requirements,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	cmd := exec.Command("go", "run", ".")
	cmd.Dir, cmd.Env = dir, mpi.Environ()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && assert.ErrorAs(t, err, &exit) {
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	return string(out)
}

// docs/output.md has the fields of the JSON that the commands print, and no
// others.
func TestOutputPage(t *testing.T) {
	page, err := os.ReadFile("docs/output.md")
	require.NoError(t, err)
	var want, got []string
	for _, source := range []string{"cmd/dlp-hello/report.go", "examples/corpus/report.go", "cmd/dlp/journalstate.go", "cmd/dlp/pictures.go", "internal/timeline/draw/summary.go"} {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile("`json:\"(\\w+)\"`").FindAllStringSubmatch(string(text), -1) {
			want = append(want, match[1])
		}
	}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			for _, match := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[1], -1) {
				got = append(got, match[1])
			}
			if strings.Contains(cells[3], "each with") {
				_, inner, _ := strings.Cut(cells[3], "each with")
				for _, match := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(inner, -1) {
					got = append(got, match[1])
				}
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	assert.Equal(t, slices.Compact(want), slices.Compact(got))
}

// Links between the pages lead somewhere.
func TestLinksInPages(t *testing.T) {
	code := regexp.MustCompile("(?s)```.*?```|`[^`]*`")
	for path, text := range pages(t) {
		text = code.ReplaceAllString(text, "")
		for _, match := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(path), match[1]))
			assert.NoError(t, err, "link in %s", path)
		}
	}
}
