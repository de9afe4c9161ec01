package cpus

import (
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/need"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

func TestUsable(t *testing.T) {
	assert.GreaterOrEqual(t, Usable(), 1)
	assert.LessOrEqual(t, Usable(), runtime.NumCPU())
	assert.Equal(t, 3, AtLeast(2, 2.1))
	assert.Equal(t, 2, AtLeast(2, 0.1))
}

func TestBind(t *testing.T) {
	if runtime.GOOS != "linux" {
		need.Unable(t, "only Linux binds")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := Cores()
	require.NoError(t, err)
	all := slices.Concat(before...)
	assert.Len(t, all, runtime.NumCPU())

	undo, err := Bind(all[:1])
	require.NoError(t, err)
	bound, err := Cores()
	require.NoError(t, err)
	assert.Equal(t, [][]int{all[:1]}, bound)

	undo()
	after, err := Cores()
	require.NoError(t, err)
	assert.Equal(t, before, after)

	_, err = Bind(nil)
	assert.ErrorContains(t, err, "bind to processors")
}
