// Package dlpgo_test checks what holds for the module as a whole.
package dlpgo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/dlp-mpi/dlp-go"

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	CgoFiles   []string
}

// name is the package's folder in the module, ok == false if it is not ours.
func name(importPath string) (folder string, ok bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// rule says who may import a package.
type rule struct {
	what   string // import path; all below it are meant too
	by     func(folder string) bool
	reason string
}

func in(folders ...string) func(string) bool {
	return func(folder string) bool {
		return slices.ContainsFunc(folders, func(f string) bool {
			return folder == f || strings.HasPrefix(folder, f+"/")
		})
	}
}

// but holds for the folders of the second condition that the first does not hold for.
func but(not, by func(string) bool) func(string) bool {
	return func(folder string) bool { return by(folder) && !not(folder) }
}

func nobody(string) bool { return false }

// rules are first match: of ours the layers, of others the uses they were taken in for.
func rules() []rule {
	return []rule{
		{module + "/cmd/dlp/internal", in("cmd/dlp"), "rooms of the command dlp"},
		{module + "/cmd", nobody, "commands are thin; what others need belongs into a package below them"},
		{module + "/examples", nobody, "examples are to be read, not imported"},
		{module + "/test", in("test"), "it is for tests; a program must not carry it"},
		{module + "/dlp/internal", in("dlp"), "only dlp uses its engine and its encoding"},
		{module + "/bench", nobody, "it is a program"},
		{module + "/dlp", in("cmd", "examples", "test", "bench"), "dlp is the top layer: bootstrap and ame must be usable without it"},
		{module + "/ame", but(in("dlp/internal"), in("cmd", "examples", "test", "dlp")), "the socket backend is given rank, size, address and key as values, so that no way to learn them depends on it"},
		{module + "/bootstrap/internal", in("bootstrap"), "rooms of bootstrap: what others need of it, Find tells"},
		{module + "/internal/clidoc", in("cmd", "internal/manual"), "it describes commands"},
		{module + "/internal/control", in("cmd", "bootstrap"), "ameexec's channel: a program meets it in bootstrap alone"},
		{module + "/internal/journal", in("cmd", "dlp"), "it is the file of a loop's results; what is below loops knows none"},
		{module + "/internal/timeline", in("cmd", "dlp", "internal/timeline", "bench/pictures"), "it is the file in which loops record; what is below loops knows none"},
		{module + "/internal/launch", in("cmd"), "it is what commands that start processes share; a program that was started has no use for it"},
		{module + "/internal", in("cmd", "examples", "test", "dlp", "ame", "bootstrap", "pmi", "pmix", "slurm", "internal"), "rooms with a small door, below all layers: they import the standard library, golang.org/x/sys and each other"},
		{module + "/bootstrap", but(in("dlp/internal"), in("cmd", "examples", "test", "dlp")), "launchers change more often than protocols: pmi, pmix, slurm and ame must not depend on how one is detected"},
		{module + "/pmi", in("cmd", "test", "bootstrap"), "a protocol package serves bootstrap and stands for itself: pmi, pmix, slurm and ame do not import each other"},
		{module + "/pmix", in("cmd", "test", "bootstrap"), "a protocol package serves bootstrap and stands for itself: pmi, pmix, slurm and ame do not import each other"},
		{module + "/slurm", in("cmd", "test", "bootstrap"), "a protocol package serves bootstrap and stands for itself: pmi, pmix, slurm and ame do not import each other"},
		{"golang.org/x/sys", in("cmd", "test", "bootstrap", "ame", "pmi", "pmix", "slurm", "internal"), "system calls belong to the packages that touch the system"},
		{"github.com/urfave/cli/v2", in("cmd", "internal/clidoc"), "a library has no command line"},
		{"github.com/fsnotify/fsnotify", in("bootstrap"), "it is there to wait for a rendezvous file, nothing else waits for files"},
		{"github.com/fxamacker/cbor/v2", nobody, "it judges in tests what dlp/internal/value writes; it goes by tags of encoding/json and leaves fields out"},
		{"github.com/stretchr/testify", in("test/alive", "test/terminal"), "it is for tests; a program must not carry it"},
		{"go.uber.org/goleak", nobody, "it is for tests; a program must not carry it"},
		{"C", nobody, "the promise is one static binary without a C compiler; write it in Go"},
		{"", nobody, "every dependency must be built, vetted and updated on clusters without the internet; say why this one is worth it and add a rule"},
	}
}

func ruleFor(path string) rule {
	for _, r := range rules() {
		if r.what == "" || path == r.what || strings.HasPrefix(path, r.what+"/") {
			return r
		}
	}
	return rule{}
}

func TestImports(t *testing.T) {
	packages := list(t)
	standard := map[string]bool{"unsafe": true}
	for _, p := range packages {
		standard[p.ImportPath] = standard[p.ImportPath] || p.Standard
	}
	ours := 0
	for _, p := range packages {
		folder, ok := name(p.ImportPath)
		if !ok {
			continue
		}
		ours++
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s uses cgo in %v: %s", folder, p.CgoFiles, ruleFor("C").reason)
		}
		for _, path := range p.Imports {
			if r := ruleFor(path); !standard[path] && !r.by(folder) {
				t.Errorf("%s imports %s: %s", folder, path, r.reason)
			}
		}
	}
	assert.Positive(t, ours)
}

// list returns the packages of the module on this system, and all that they
// depend on.
func list(t *testing.T) []listed {
	// What go list reads is not seen by the cache of test results, what this
	// test reads is.
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.IsDir() && len(path) > 1 && path[0] == '.' {
			return filepath.SkipDir
		}
		return err
	}))
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,CgoFiles", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go list: %s", stderr.String())
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
}

// The rules themselves: who may, who may not.
func TestRules(t *testing.T) {
	tests := []struct {
		folder, path string
		allowed      bool
	}{
		{"dlp", module + "/ame", true},
		{"dlp/internal/loop", module + "/ame", false},
		{"dlp/internal/loop", module + "/dlp/internal/value", true},
		{"cmd/dlp-hello", module + "/dlp/internal/loop", false},
		{"ame", module + "/dlp", false},
		{"bootstrap", module + "/ame", false},
		{"bootstrap", module + "/bootstrap/internal/file", true},
		{"dlp", module + "/bootstrap/internal/file", false},
		{"pmi", module + "/internal/nesting", true},
		{"dlp", module + "/internal/control", false},
		{"cmd/ameexec", module + "/internal/control", true},
		{"internal/nesting", module + "/slurm", false},
		{"bootstrap", module + "/pmix", true},
		{"pmix", module + "/pmi", false},
		{"cmd/ameexec", module + "/pmi", true},
		{"cmd/dlp", module + "/cmd/dlp/internal/source", true},
		{"cmd/ameexec", module + "/cmd/dlp/internal/source", false},
		{"cmd/ameexec", "github.com/urfave/cli/v2", true},
		{"dlp", "github.com/urfave/cli/v2", false},
		{"slurm", "golang.org/x/sys/unix", true},
		{"dlp", "github.com/fxamacker/cbor/v2", false},
		{"ame", "github.com/fxamacker/cbor/v2", false},
		{"dlp", "github.com/stretchr/testify/assert", false},
		{"test/alive", "github.com/stretchr/testify/require", true},
		{"bootstrap", "github.com/fsnotify/fsnotify", true},
		{"pmix", "C", false},
		{"dlp", "example.com/new", false},
	}
	for _, test := range tests {
		assert.Equal(t, test.allowed, ruleFor(test.path).by(test.folder), "%s imports %s", test.folder, test.path)
	}
}
