package mpi

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Ameexec builds this module's own launcher, for the test that calls it, and
// with it the programs in further folders of the module, named as in an import
// behind the module's path. It returns the folder that they are in.
func Ameexec(t testing.TB, programs ...string) (bin string) {
	t.Helper()
	const module = "github.com/dlp-mpi/dlp-go/"
	bin = t.TempDir()
	arguments := []string{"build", "-o", bin + string(filepath.Separator), module + "cmd/ameexec"}
	for _, folder := range programs {
		arguments = append(arguments, module+folder)
	}
	if out, err := exec.CommandContext(t.Context(), "go", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}
