//go:build unix

package socketpair

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

func TestNew(t *testing.T) {
	a, b, err := New("test")
	require.NoError(t, err)
	defer b.Close()
	for _, end := range []interface{ Fd() uintptr }{a, b} {
		flags, err := unix.FcntlInt(end.Fd(), unix.F_GETFD, 0)
		require.NoError(t, err)
		assert.NotZero(t, flags&unix.FD_CLOEXEC)
	}
	_, err = a.WriteString("across")
	require.NoError(t, err)
	require.NoError(t, a.Close())
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	assert.Equal(t, "across", string(got))
}
