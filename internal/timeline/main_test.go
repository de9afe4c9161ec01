package timeline

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }
