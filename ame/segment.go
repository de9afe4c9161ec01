package ame

import (
	"crypto/rand"
	"encoding/binary"
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
//	  word 1           the rank that has entered last
//	  from word 16     by rank, its place; then by rank, the digest of its history
type segment struct {
	size    int // of the job
	words   []atomic.Uint32
	given   uint32        // barriers that rank 0 has given to communicators
	offer   *segmentOffer // what rank 0 tells the others
	yield   func()        // lets other ranks run
	release func()        // gives the memory back
}

const (
	segmentHeader = 16 // words
	segmentOpened = 4  // word

	// maxShared is how many communicators of a job can have a barrier in its
	// segment. The others meet by messages.
	maxShared = 64
)

// barrierWords is the length of one barrier of a job of the given size.
func barrierWords(size int) int { return 16 + (2*size+15)&^15 }

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

// barrier returns the barrier of that number.
func (s *segment) barrier(number uint32) *sharedBarrier {
	words := s.words[segmentHeader+int(number)*barrierWords(s.size):]
	return &sharedBarrier{
		entered: &words[0], last: &words[1],
		places: words[16 : 16+s.size], histories: words[16+s.size : 16+2*s.size],
		yield: s.yield,
	}
}

// segmentOffer is how a rank finds the segment that rank 0 has made.
type segmentOffer struct {
	descriptor int32 // of rank 0's process; inMemory if the ranks are one process
	token      token
}

const inMemory = -1

type token [16]byte

// recordSegment is the tag of the record behind the directory that holds an offer.
const recordSegment = 1

// appendTo appends the wire form, a record: tag, length, descriptor, token.
func (o *segmentOffer) appendTo(b []byte) []byte {
	b = append(b, recordSegment)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(o.token)))
	b = binary.BigEndian.AppendUint32(b, uint32(o.descriptor))
	return append(b, o.token[:]...)
}

// parseOffer looks for an offer among the records in b, ok == false if there
// is none.
func parseOffer(b []byte) (o segmentOffer, ok bool) {
	for len(b) >= 3 {
		tag, length := b[0], int(binary.BigEndian.Uint16(b[1:]))
		b = b[3:]
		if length > len(b) {
			break
		}
		if tag == recordSegment && length >= 4+len(o.token) {
			o.descriptor = int32(binary.BigEndian.Uint32(b))
			copy(o.token[:], b[4:])
			return o, true
		}
		b = b[length:]
	}
	return segmentOffer{}, false
}

// ownSegments holds, by token, those segments whose ranks are goroutines of
// this process. It is the one thing that such ranks have in common, however
// they are connected.
var ownSegments sync.Map

// newOwnSegment makes a segment for ranks that are goroutines of this process.
func newOwnSegment(size int) *segment {
	s := &segment{
		size: size, words: make([]atomic.Uint32, segmentWords(size)), yield: runtime.Gosched,
		offer: &segmentOffer{descriptor: inMemory},
	}
	rand.Read(s.offer.token[:])
	ownSegments.Store(s.offer.token, s)
	s.release = func() { ownSegments.Delete(s.offer.token) }
	return s
}

// shareSegment makes, on rank 0, the segment of a job whose ranks all run on
// this node: each in a process of its own, or all in this one.
func (j *job) shareSegment() {
	nodes, processes := map[string]bool{}, map[int]bool{}
	for _, p := range j.peers {
		nodes[p.Host], processes[p.PID] = true, true
	}
	switch {
	case len(processes) == 1:
		j.segment = newOwnSegment(j.size)
	case len(processes) == j.size && len(nodes) == 1:
		s, err := newSegment(j.size)
		if err != nil {
			j.log.Debug("no shared memory", "rank", 0, "error", err)
			return
		}
		j.segment = s
	}
}

// joinSegment opens, on another rank, the segment that rank 0 offers behind
// the directory. Where that fails, all ranks meet by messages.
func (j *job) joinSegment(offer []byte) {
	o, ok := parseOffer(offer)
	if !ok {
		return
	}
	if o.descriptor == inMemory {
		if s, ok := ownSegments.Load(o.token); ok {
			j.segment = s.(*segment)
			j.segment.open()
		}
		return
	}
	s, err := openSegment(j.peers[0].PID, o, j.size)
	if err != nil {
		j.log.Debug("no shared memory", "rank", j.rank, "error", err)
		return
	}
	j.segment = s
	s.open()
}

// leaveSegment gives this rank's access back. The job is closed.
func (j *job) leaveSegment() {
	j.meetings.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.segment != nil {
		j.segment.release()
		j.segment = nil
	}
}
