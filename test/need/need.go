// Package need is for tests of what Go does not bring along: launchers,
// daemons, compilers.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// packages says in which of Debian's packages a program is.
var packages = map[string]string{
	"bash":            "bash",
	"chromium":        "chromium",
	"gcc":             "gcc",
	"mpicc.mpich":     "libmpich-dev",
	"mpiexec.hydra":   "mpich",
	"mpiexec.openmpi": "openmpi-bin",
	"munged":          "munge",
	"pkg-config":      "pkg-config",
	"python3":         "python3",
	"setsid":          "util-linux",
	"unshare":         "util-linux",
}

// sbin is where Debian has daemons; it is not in every user's PATH.
const sbin = "/usr/sbin/"

func find(name string) (path string, err error) {
	if path, err = exec.LookPath(name); err != nil {
		path, err = exec.LookPath(sbin + name)
	}
	return path, err
}

// Program returns the path of a program. Where it is not installed the test
// is skipped, but fails where CI is set: CI installs all that the tests need.
func Program(t testing.TB, name string) string {
	t.Helper()
	debianPackage, known := packages[name]
	if !known {
		t.Fatalf("need.Program: add %s and its package to the table", name)
	}
	path, err := find(name)
	if err != nil {
		Missing(t, name, debianPackage)
	}
	return path
}

// Missing ends a test as Program does, for what is not a program.
func Missing(t testing.TB, what, debianPackage string) {
	t.Helper()
	Unable(t, "%s is not installed; on Debian it is in %s", what, debianPackage)
}

// Unable ends a test as Program does, because of what this machine or user
// cannot do.
func Unable(t testing.TB, why string, arguments ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(why, arguments...)
	}
	t.Skipf(why, arguments...)
}
