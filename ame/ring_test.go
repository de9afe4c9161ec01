package ame

import (
	"bytes"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newRing returns both ends of a ring of n bytes.
func newRing(n int) (writer, reader *ring) {
	w := ring{head: new(atomic.Uint64), tail: new(atomic.Uint64), door: new(atomic.Uint32), data: make([]byte, n)}
	r := w
	return &w, &r
}

// Bytes come out as they went in, wherever they lie in the ring.
func TestRingKeepsBytes(t *testing.T) {
	for range 50 {
		writer, reader := newRing(64)
		want := make([]byte, 5000)
		for i := range want {
			want[i] = byte(rand.Uint32())
		}
		var got []byte
		for rest := want; len(got) < len(want); {
			n, err := writer.put(rest[:min(len(rest), rand.IntN(100))])
			require.NoError(t, err)
			rest = rest[n:]
			b := make([]byte, rand.IntN(100))
			n, err = reader.take(b)
			require.NoError(t, err)
			got = append(got, b[:n]...)
		}
		assert.Equal(t, want, got)
		assert.True(t, reader.empty())
	}
}

func TestRingIsFull(t *testing.T) {
	writer, reader := newRing(16)
	n, err := writer.put(bytes.Repeat([]byte{7}, 20))
	require.NoError(t, err)
	assert.Equal(t, 16, n)
	assert.True(t, writer.full())
	n, err = writer.put([]byte{8})
	require.NoError(t, err)
	assert.Zero(t, n)
	n, err = reader.take(make([]byte, 1))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.False(t, writer.full())
}

// The reader is woken once for each time that it has gone to sleep.
func TestRingWakes(t *testing.T) {
	writer, reader := newRing(16)
	writer.put([]byte{1})
	assert.False(t, writer.ringing(), "nobody sleeps")
	assert.False(t, reader.beforeSleep(), "there is something to take")
	reader.take(make([]byte, 1))
	assert.True(t, reader.beforeSleep())
	writer.put([]byte{2})
	assert.True(t, writer.ringing())
	assert.False(t, writer.ringing())
}

// What the other end writes into the memory does no harm.
func FuzzRing(f *testing.F) {
	f.Add(uint64(0), uint64(0), uint64(17), uint64(1<<63))
	f.Add(^uint64(0), uint64(5), uint64(4), uint64(3))
	f.Fuzz(func(t *testing.T, head, tail, at, other uint64) {
		writer, reader := newRing(16)
		writer.at, reader.at = at, at
		writer.head.Store(head)
		n, err := writer.put([]byte("hello"))
		assert.True(t, err != nil && n == 0 || at-head <= 16)
		reader.tail.Store(tail)
		b := make([]byte, 32)
		n, err = reader.take(b)
		assert.True(t, err != nil && n == 0 || tail-at <= 16)
		writer.head.Store(other)
		writer.full()
		reader.empty()
	})
}

// The rings of a process have a bound together, whatever runs on its node.
func TestRingSize(t *testing.T) {
	for ranks, want := range map[int]int{1: 4 << 20, 2: 4 << 20, 5: 4 << 20, 8: 2 << 20, 17: 1 << 20, 64: 256 << 10, 1000: 256 << 10} {
		size := ringSizeFor(ranks)
		assert.Equal(t, want, size, "%d ranks", ranks)
		assert.Zero(t, size&(size-1))
		assert.LessOrEqual(t, 2*size*min(ranks-1, maxSharing), ringsBudget)
	}
}
