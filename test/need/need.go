// Package need is for tests of what Go does not bring along: launchers,
// daemons, compilers.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program. Debian has it in the given package.
func Program(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, debianPackage)
	}
	return path
}

// Missing ends a test because this machine lacks something: it is skipped,
// but fails where CI is set, because CI installs all that the tests need.
func Missing(t testing.TB, what, debianPackage string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed; on Debian it is in %s", what, debianPackage)
	}
	t.Skipf("%s is not installed; on Debian it is in %s", what, debianPackage)
}
