package ame

import (
	"sync/atomic"
	"unsafe"
)

// The memory of a link, behind the token of its offer: a page for the words of
// two rings, each on cache lines of its own, and their bytes.
const (
	ringsPage = 4 << 10
	ringApart = 128 // bytes between two words
)

// A ring is long enough that its two ends seldom wait for each other in a long
// body, but all those of a process together take no more than ringsBudget bytes.
const (
	longestRing = 4 << 20
	ringsBudget = 32 << 20
)

// ringSizeFor is how many bytes fit into one direction of a link where so many
// ranks run on the node: a power of two.
func ringSizeFor(ranks int) int {
	size := longestRing
	for links := min(ranks-1, maxSharing); 2*size*links > ringsBudget; {
		size /= 2
	}
	return size
}

// ringsLength is the length of memory with rings of so many bytes.
func ringsLength(size int) int { return ringsPage + 2*size }

// ringsOf returns the two rings in memory of such a length that begins on a
// page. Both ends call it before either has put anything.
func ringsOf(b []byte) (first, second *ring) {
	size := (len(b) - ringsPage) / 2
	at := func(number, word int) unsafe.Pointer { return unsafe.Pointer(&b[(1+3*number+word)*ringApart]) }
	one := func(number int) *ring {
		data := b[ringsPage+number*size:][:size:size]
		return &ring{
			head: (*atomic.Uint64)(at(number, 0)), tail: (*atomic.Uint64)(at(number, 1)), door: (*atomic.Uint32)(at(number, 2)),
			data: data,
		}
	}
	return one(0), one(1)
}
