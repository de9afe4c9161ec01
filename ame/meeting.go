package ame

import (
	"sync/atomic"
	"time"
)

// sharedBarrier is a barrier in the memory of one node. It says who has
// entered and who may leave, and takes no part in sleeping: a rank that has
// looked at its place for a while in vain falls asleep in a call that waits for
// a message, as in a barrier by messages, and is owed one then. It is for rank
// 0, which has a link to every rank, to send what is owed.
type sharedBarrier struct {
	entered *atomic.Uint32  // number of ranks
	places  []atomic.Uint32 // by rank: number of the collective, and state
	yield   func()
}

// place is what a word of sharedBarrier.places says: the number of the
// collective that the rank has entered last, modulo 2^30, and its state there.
type place uint32

const (
	waiting  = 0 // looks at its place
	asleep   = 1 // waits for a message
	released = 2 // may leave
	owed     = 3 // may leave, once rank 0 has told it
)

func placeOf(seq uint32, state place) place { return place(seq)<<2 | state }

func (b *sharedBarrier) at(rank int) place { return place(b.places[rank].Load()) }

func (b *sharedBarrier) move(rank int, from, to place) bool {
	return b.places[rank].CompareAndSwap(uint32(from), uint32(to))
}

// enter lets rank enter the collective of number seq. If it is the last, it
// has to call release.
func (b *sharedBarrier) enter(rank int, seq uint32) (last bool) {
	b.places[rank].Store(uint32(placeOf(seq, waiting)))
	return int(b.entered.Add(1)) == len(b.places)
}

// release lets all ranks leave. If rank 0 was asleep it is to be sent a
// message, and to send those that are owed to the others.
func (b *sharedBarrier) release(seq uint32) (rootAsleep bool) {
	b.entered.Store(0)
	// Rank 0 comes last, for then it finds all that is owed.
	for rank := len(b.places) - 1; rank > 0; rank-- {
		if !b.move(rank, placeOf(seq, waiting), placeOf(seq, released)) {
			b.places[rank].Store(uint32(placeOf(seq, owed)))
		}
	}
	if b.move(0, placeOf(seq, waiting), placeOf(seq, released)) {
		return false
	}
	b.places[0].Store(uint32(placeOf(seq, released)))
	return true
}

// A rank looks at its place for about as long as it takes to be woken by a
// message, and then falls asleep.
const (
	lookFor  = 50 * time.Microsecond
	maxLooks = 1000 // where the clock stands still
)

// wait looks at the place of rank for a while and returns whether it may
// leave. If not, it is asleep and will get a message.
func (b *sharedBarrier) wait(rank int, seq uint32) (mayLeave bool) {
	start := time.Now()
	for range maxLooks {
		if b.at(rank) != placeOf(seq, waiting) {
			return true
		}
		if time.Since(start) > lookFor {
			break
		}
		b.yield()
	}
	return !b.move(rank, placeOf(seq, waiting), placeOf(seq, asleep))
}

// owes says, on rank 0, whether it has to tell rank that it may leave.
func (b *sharedBarrier) owes(rank int, seq uint32) bool { return b.at(rank) == placeOf(seq, owed) }

// absent says whether rank has yet to enter the collective of number seq.
func (b *sharedBarrier) absent(rank int, seq uint32) bool {
	return int32(uint32(b.at(rank))&^3-seq<<2) < 0
}
