package dlpgo_test

import (
	"os"
	"testing"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { os.Exit(deadline.Each(m).Run()) }
