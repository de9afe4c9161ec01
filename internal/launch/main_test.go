package launch

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// The test binary is also a guard, and a process that has one.
func TestMain(m *testing.M) {
	switch {
	case os.Args[0] == GuardName:
		os.Exit(GuardMain(os.Args))
	case len(os.Args) > 2 && os.Args[1] == "guarded":
		guarded(os.Args[2])
	}
	goleak.VerifyTestMain(deadline.Each(m))
}
