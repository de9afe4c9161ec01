package run

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/internal/launch"
	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// The test binary is also the guard.
func TestMain(m *testing.M) {
	if os.Args[0] == launch.GuardName {
		os.Exit(launch.GuardMain(os.Args))
	}
	goleak.VerifyTestMain(deadline.Each(m))
}
