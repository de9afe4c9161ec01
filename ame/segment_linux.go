package ame

import (
	"sync/atomic"
	"unsafe"
)

// newSegment makes, on rank 0, a segment for the processes of this node.
func newSegment(size int) (*segment, error) {
	r, offer, err := newRegion(4 * segmentWords(size))
	if err != nil {
		return nil, err
	}
	s := segmentIn(r, size)
	s.offer = &offer
	return s, nil
}

// openSegment opens the segment that the process pid of rank 0 has offered.
func openSegment(pid int, offer memoryOffer, size int) (*segment, error) {
	r, err := openRegion(pid, offer, 4*segmentWords(size))
	if err != nil {
		return nil, err
	}
	return segmentIn(r, size), nil
}

func segmentIn(r *region, size int) *segment {
	words := unsafe.Slice((*atomic.Uint32)(unsafe.Pointer(unsafe.SliceData(r.bytes))), segmentWords(size))
	return &segment{size: size, words: words, lookout: processLookout(size), release: func() {
		r.unmap()
		r.close()
	}}
}
