package bootstrap

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
	"github.com/dlp-mpi/dlp-go/test/need"
)

// byFile is Find of rank in a job of size that meets in dir.
func byFile(t *testing.T, dir string, rank, size int) (*World, error) {
	env := fakeenv.Map{"AME_RENDEZVOUS_DIR": dir}
	return meetByFile(t.Context(), env.Lookup, fileJob{at: Place{Rank: rank, Size: size, LocalSize: size}, name: "test"}, nil)
}

func entries(t *testing.T, dir string) (names []string) {
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	return names
}

func TestMeetByFile(t *testing.T) {
	dir := t.TempDir()
	early, err := byFile(t, dir, 1, 3)
	require.NoError(t, err)
	root, err := byFile(t, dir, 0, 3)
	require.NoError(t, err)
	defer root.Listener.Close()
	late, err := byFile(t, dir, 2, 3)
	require.NoError(t, err)
	for _, world := range []*World{early, late} {
		assert.Empty(t, world.Root.Addresses)
		found, err := world.Newer(t.Context())
		require.NoError(t, err)
		assert.Equal(t, root.Root, found)
		require.NoError(t, world.Release(nil), "the file is rank 0's")
	}
	assert.Len(t, entries(t, dir), 1)
	require.NoError(t, root.Release(nil))
	assert.Empty(t, entries(t, dir))
}

func TestMeetByFileAlone(t *testing.T) {
	world, err := byFile(t, "/nowhere", 0, 1)
	require.NoError(t, err)
	assert.Nil(t, world.Listener)
	assert.NotEmpty(t, world.Root.Job)
	assert.NoError(t, world.Release(nil))
}

// A rank of the second program of a task may see the file of the first. It gets
// the second as soon as that is there; the first does not take it away.
func TestMeetByFileOfTwoPrograms(t *testing.T) {
	dir := t.TempDir()
	first, err := byFile(t, dir, 0, 2)
	require.NoError(t, err)
	defer first.Listener.Close()
	other, err := byFile(t, dir, 1, 2)
	require.NoError(t, err)
	found, err := other.Newer(t.Context())
	require.NoError(t, err)
	assert.Equal(t, first.Root, found)

	second, err := byFile(t, dir, 0, 2)
	require.NoError(t, err)
	defer second.Listener.Close()
	found, err = other.Newer(t.Context())
	require.NoError(t, err)
	assert.Equal(t, second.Root, found)
	require.NoError(t, first.Release(nil))
	assert.Len(t, entries(t, dir), 1, "the file is of the second program")
	require.NoError(t, second.Release(nil))
	assert.Empty(t, entries(t, dir))
}

func TestMeetByFileRootMissing(t *testing.T) {
	dir := t.TempDir()
	world, err := byFile(t, dir, 3, 4)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = world.Newer(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, " did not appear: ")
	assert.ErrorContains(t, err, "Set AME_RENDEZVOUS_DIR")

	root, err := byFile(t, dir, 0, 4)
	require.NoError(t, err)
	defer root.Listener.Close()
	defer root.Release(nil)
	_, err = world.Newer(t.Context())
	require.NoError(t, err)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = world.Newer(ctx)
	assert.ErrorContains(t, err, " was not replaced by one of this job")
}

func TestMeetByFileNotWritable(t *testing.T) {
	_, err := byFile(t, need.Tmpfs(t, "ro"), 0, 2)
	assert.ErrorContains(t, err, "read-only file system: set AME_RENDEZVOUS_DIR to a directory that all ranks can write to")
}
