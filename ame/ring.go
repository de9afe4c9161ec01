package ame

import (
	"fmt"
	"sync/atomic"
)

// ring carries bytes one way, from one writer to one reader, through memory
// that both have. Neither holds a lock: the writer alone moves tail, the reader
// alone moves head, and each believes of the other only what lies within the
// ring. Whoever dies in the middle of a put or take has done nothing yet.
type ring struct {
	head *atomic.Uint64 // how many bytes the reader has taken
	tail *atomic.Uint64 // how many the writer has put
	door *atomic.Uint32 // 1: the reader sleeps, and wants to be woken
	data []byte         // its length is a power of two

	at uint64 // what this end has moved itself: tail of the writer, head of the reader
}

// put copies as much of b as there is room for, for the reader to take.
func (r *ring) put(b []byte) (n int, err error) {
	size := uint64(len(r.data))
	used := r.at - r.head.Load()
	if used > size {
		return 0, errRing(used, size)
	}
	b = b[:min(uint64(len(b)), size-used)]
	for n < len(b) {
		from := (r.at + uint64(n)) & (size - 1)
		n += copy(r.data[from:], b[n:])
	}
	r.at += uint64(n)
	r.tail.Store(r.at)
	return n, nil
}

// take copies what is there into b, as much as fits.
func (r *ring) take(b []byte) (n int, err error) {
	size := uint64(len(r.data))
	used := r.tail.Load() - r.at
	if used > size {
		return 0, errRing(used, size)
	}
	b = b[:min(uint64(len(b)), used)]
	for n < len(b) {
		from := (r.at + uint64(n)) & (size - 1)
		n += copy(b[n:], r.data[from:])
	}
	r.at += uint64(n)
	r.head.Store(r.at)
	return n, nil
}

// empty says, to the reader, whether there is nothing to take.
func (r *ring) empty() bool { return r.tail.Load() == r.at }

// full says, to the writer, whether there is no room.
func (r *ring) full() bool { return r.room() == 0 }

// room is, to the writer, for how many bytes there is room.
func (r *ring) room() int { return len(r.data) - int(r.at-r.head.Load()) }

// ringing says, to the writer after a put, whether it is to wake the reader.
// Of several that ask, one is told so.
func (r *ring) ringing() bool { return r.door.Load() == 1 && r.door.CompareAndSwap(1, 0) }

// beforeSleep asks, in the name of the reader, to be woken by the next put. It
// returns false if there is something to take already.
func (r *ring) beforeSleep() bool {
	r.door.Store(1)
	if r.empty() {
		return true
	}
	r.door.Store(0)
	return false
}

func errRing(used, size uint64) error {
	return fmt.Errorf("memory of the other rank is broken: %d bytes in a ring of %d", used, size)
}
