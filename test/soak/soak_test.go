package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/mpi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "rank" {
		main()
		return
	}
	goleak.VerifyTestMain(deadline.Each(m))
}

// A short one, on real processes.
func TestSoak(t *testing.T) {
	ameexec := filepath.Join(mpi.Ameexec(t), "ameexec")
	require.NoError(t, run(t.Context(), time.Second, 3, ameexec))
}

func TestGrown(t *testing.T) {
	first := []usage{{40 * mib, mib, 14, 20}, {40 * mib, mib, 14, 20}}
	require.NoError(t, grown(first, []usage{{60 * mib, mib, 15, 21}, {30 * mib, mib, 16, 20}}))
	err := grown(first, []usage{{70 * mib, mib, 14, 23}, {40 * mib, 2 * mib, 17, 20}})
	assert.EqualError(t, err, `rank 0 has grown from 41943040 to 73400320 bytes of resident memory
rank 0 has grown from 20 to 23 descriptors
rank 1 has grown from 1048576 to 2097152 bytes of live heap
rank 1 has grown from 14 to 17 goroutines`)
	assert.Equal(t, `after 1m0s, 7 rounds
  rank  resident MiB  heap MiB  goroutines  descriptors
     0          40.0      1.00          14           20
     1          40.0      1.00          14           20
`, table(time.Minute, 7, first))
}
