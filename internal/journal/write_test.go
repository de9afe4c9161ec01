package journal

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What was written of a record that does not fit is cut off again, and nothing
// is written after that.
func TestShortWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	j, err := Open(path, description(), start(), false)
	require.NoError(t, err)
	require.NoError(t, appendTo(j, recordOf(0)))
	info, err := os.Stat(path)
	require.NoError(t, err)

	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	small := limit
	small.Cur = uint64(info.Size()) + 10
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small))
	err = appendTo(j, recordOf(1))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))

	require.ErrorIs(t, err, syscall.EFBIG)
	assert.ErrorContains(t, err, "; 1 finished items are safe in it")
	assert.Equal(t, err, appendTo(j, recordOf(2)))
	assert.Equal(t, err, j.Close())
	after, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, info.Size(), after.Size())
	_, records, err := entries(t, path)
	require.NoError(t, err)
	assert.Equal(t, []Record{recordOf(0)}, records)
}
