package ame

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestOpenSegment(t *testing.T) {
	requireSegment(t)
	s, err := newSegment(3)
	require.NoError(t, err)
	defer s.release()
	other, err := openSegment(os.Getpid(), *s.offer, 3)
	require.NoError(t, err)
	defer other.release()

	_, ok := s.give()
	assert.False(t, ok, "before all have opened it")
	other.open()
	s.open()
	number, ok := s.give()
	assert.True(t, ok)
	for rank := range 3 {
		s.barrier(number, 3).enter(rank, 5, 1, true)
	}
	assert.True(t, other.barrier(number, 3).agreed(5), "both see the same memory")
	for range maxShared - 1 {
		next, ok := s.give()
		assert.True(t, ok)
		assert.Equal(t, []int{0, 1, 2}, s.barrier(next, 3).absent(5), "each has its own")
	}
	_, ok = s.give()
	assert.False(t, ok, "no more than there is room for")
}

// What is not the segment is left alone.
func TestOpenSegmentRefuses(t *testing.T) {
	requireSegment(t)
	s, err := newSegment(3)
	require.NoError(t, err)
	defer s.release()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, make([]byte, 4*segmentWords(3)), 0o600))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	pipe, err := os.OpenFile(fifo, os.O_RDWR, 0)
	require.NoError(t, err)
	defer pipe.Close()

	offer := func(descriptor int32) memoryOffer { return memoryOffer{descriptor, s.offer.token} }
	for name, test := range map[string]struct {
		pid   int
		offer memoryOffer
		size  int
		want  error
	}{
		"no process":    {1 << 30, *s.offer, 3, os.ErrNotExist},
		"no descriptor": {os.Getpid(), offer(1 << 30), 3, os.ErrNotExist},
		"other file":    {os.Getpid(), offer(int32(file.Fd())), 3, errNotRegion},
		"no file":       {os.Getpid(), offer(int32(pipe.Fd())), 3, errNotRegion},
		"other size":    {os.Getpid(), *s.offer, 64, errNotRegion},
		"other token":   {os.Getpid(), memoryOffer{descriptor: s.offer.descriptor}, 3, errNotRegion},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openSegment(test.pid, test.offer, test.size)
			assert.ErrorIs(t, err, test.want)
		})
	}
}
