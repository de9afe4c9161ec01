package ame

import (
	"crypto/rand"
	"runtime"
	"sync"
	"sync/atomic"
)

// segment is memory that all ranks of a job have in common because they run
// on one node: 32-bit words, read and written atomically. In it they meet at
// barriers. Its layout:
//
//	words 0-3        token, by which a rank knows that it has found the right one
//	word 4           number of ranks but 0 that have it open
//	from word 16     maxShared barriers, each on cache lines of its own:
//	  word 0           number of ranks that have entered
//	  word 1           the rank of the communicator that has entered last
//	  from word 16     by rank of the communicator its place, with room for all
//	                   ranks of the job; behind that likewise the digest of its history
type segment struct {
	size    int // of the job
	words   []atomic.Uint32
	given   uint32       // barriers that rank 0 has given to communicators
	offer   *memoryOffer // what rank 0 tells the others
	lookout lookout      // of a rank that waits for others here
	release func()       // gives the memory back
}

const (
	// segmentHeader is how many words are in front of the barriers: a cache
	// line of 64 bytes.
	segmentHeader = 16
	segmentOpened = 4 // word

	// maxShared is how many communicators of a job can have a barrier in its
	// segment. The others meet by messages.
	maxShared = 64
)

// barrierHeader is how many words of a barrier are in front of those of the
// ranks: a cache line.
const barrierHeader = 16

// barrierWords is the length of one barrier of a job of the given size, in
// whole cache lines.
func barrierWords(size int) int { return barrierHeader + (2*size+15)&^15 }

// segmentWords is the length of a segment.
func segmentWords(size int) int { return segmentHeader + maxShared*barrierWords(size) }

// open counts this rank, which is not 0, as one that has the segment.
func (s *segment) open() { s.words[segmentOpened].Add(1) }

// give returns the number of the next barrier on rank 0, ok == false if there
// is none or a rank has no access to the segment.
func (s *segment) give() (number uint32, ok bool) {
	if s == nil || s.given == maxShared || int(s.words[segmentOpened].Load()) != s.size-1 {
		return 0, false
	}
	s.given++
	return s.given - 1, true
}

// barrier returns the barrier of that number for a group of size ranks. It has
// room for all ranks of the job.
func (s *segment) barrier(number uint32, size int) *sharedBarrier {
	words := s.words[segmentHeader+int(number)*barrierWords(s.size):]
	return &sharedBarrier{
		entered: &words[0], last: &words[1],
		places: words[barrierHeader:][:size], histories: words[barrierHeader+s.size:][:size],
	}
}

// ownSegments holds, by token, those segments whose ranks are goroutines of
// this process. It is the one thing that such ranks have in common, however
// they are connected.
var ownSegments sync.Map

// newOwnSegment makes a segment for ranks that are goroutines of this process.
func newOwnSegment(size int) *segment {
	s := &segment{
		size: size, words: make([]atomic.Uint32, segmentWords(size)), lookout: lookout{polls: hastyPolls, yield: runtime.Gosched},
		offer: &memoryOffer{descriptor: inMemory},
	}
	rand.Read(s.offer.token[:])
	ownSegments.Store(s.offer.token, s)
	s.release = func() { ownSegments.Delete(s.offer.token) }
	return s
}
