// Skipped says which tests this machine leaves out, because go test does not:
// those of programs that are not installed.
package main

import (
	"fmt"
	"strings"

	"github.com/dlp-mpi/dlp-go/test/need"
)

func main() {
	programs, packages := need.NotInstalled()
	if len(programs) == 0 {
		return
	}
	fmt.Printf("skipped: the tests that need %s\n", strings.Join(programs, ", "))
	fmt.Printf("         (on Debian: apt-get install %s)\n", strings.Join(packages, " "))
}
