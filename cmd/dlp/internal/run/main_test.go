package run

import (
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/internal/launch"
	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// The test binary is also the guard.
func TestMain(m *testing.M) {
	if os.Args[0] == launch.GuardName {
		syscall.Exit(launch.GuardMain(os.Args)) // in os.Exit the race detector sleeps for a second
	}
	goleak.VerifyTestMain(deadline.Each(m))
}
