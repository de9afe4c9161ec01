package ame

import (
	"sync/atomic"
	"unsafe"
)

// The memory of a link, behind the token of its offer: a page for the words of
// two rings, each on cache lines of its own, and their bytes.
const (
	ringsPage   = 4 << 10
	ringsLength = ringsPage + 2*ringSize
	ringApart   = 128 // bytes between two words
)

// ringsOf returns the two rings in memory of ringsLength bytes that begins on a
// page. Both ends call it before either has put anything.
func ringsOf(b []byte) (first, second *ring) {
	_ = b[ringsLength-1]
	at := func(number, word int) unsafe.Pointer { return unsafe.Pointer(&b[(1+3*number+word)*ringApart]) }
	one := func(number int) *ring {
		data := b[ringsPage+number*ringSize:][:ringSize:ringSize]
		return &ring{
			head: (*atomic.Uint64)(at(number, 0)), tail: (*atomic.Uint64)(at(number, 1)), door: (*atomic.Uint32)(at(number, 2)),
			data: data,
		}
	}
	return one(0), one(1)
}
