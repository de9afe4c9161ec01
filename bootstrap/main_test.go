package bootstrap

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// TestMain runs the tests, or what a launcher was told to start: the test
// binary is its own rank, see rank_test.go.
func TestMain(m *testing.M) {
	if role := os.Getenv(rankRole); role != "" {
		os.Exit(runRank(role))
	}
	goleak.VerifyTestMain(deadline.Each(m))
}
