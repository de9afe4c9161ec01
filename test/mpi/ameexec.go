package mpi

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Ameexec builds this module's own launcher, for the test that calls it, and
// with it the programs in further folders of the module. It returns the folder
// that they are in then.
func Ameexec(t testing.TB, programs ...string) (bin string) {
	t.Helper()
	gomod, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(gomod)))
	look(t, root)
	bin = t.TempDir()
	arguments := []string{"build", "-o", bin + string(filepath.Separator), "./cmd/ameexec"}
	for _, folder := range programs {
		arguments = append(arguments, "./"+folder)
	}
	build := exec.CommandContext(t.Context(), "go", arguments...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// look looks at all files below a folder. What go build reads is not seen by
// the cache of test results; what a test looks at is.
func look(t testing.TB, folder string) {
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != folder && strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		_, err = entry.Info()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
