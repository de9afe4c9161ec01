package mpi

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// buildTime is what building takes at most on a busy machine.
const buildTime = 3 * time.Minute

// Ameexec builds this module's own launcher, and with it the programs in further
// folders of the module. It returns the folder that they are in then, bin/test of
// the module: what is there and up to date, for another test, is not linked again.
func Ameexec(t testing.TB, programs ...string) (bin string) {
	t.Helper()
	deadline.Extend(t, buildTime)
	gomod, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(gomod)))
	look(t, root)
	bin = filepath.Join(root, "bin", "test")
	defer lock(t, bin)()
	arguments := []string{"build", "-trimpath", "-o", bin + string(filepath.Separator), "./cmd/ameexec"}
	for _, folder := range programs {
		arguments = append(arguments, "./"+folder)
	}
	build := exec.CommandContext(t.Context(), "go", arguments...)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build, which has compiled all then
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// lock makes a folder, and waits until no other process builds there.
func lock(t testing.TB, folder string) (unlock func()) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { file.Close() }
}

// look looks at all files below a folder. What go build reads is not seen by
// the cache of test results; what a test looks at is.
func look(t testing.TB, folder string) {
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path == filepath.Join(folder, "bin") {
			return filepath.SkipDir
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
