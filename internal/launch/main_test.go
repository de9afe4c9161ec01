package launch

import (
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// The test binary is also a guard, and a process that has one.
func TestMain(m *testing.M) {
	switch {
	case os.Args[0] == GuardName:
		syscall.Exit(GuardMain(os.Args)) // in os.Exit the race detector sleeps for a second
	case len(os.Args) > 2 && os.Args[1] == "guarded":
		guarded(os.Args[2])
	}
	goleak.VerifyTestMain(deadline.Each(m))
}
