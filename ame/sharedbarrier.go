package ame

import (
	"slices"
	"sync/atomic"
	"time"
)

// sharedBarrier is a barrier in the memory of one node. As in a barrier by
// messages it is rank 0 that lets the others leave, when all have entered; but
// a rank says so in memory, and looks there for a while before it falls asleep
// in a call that waits for a message.
type sharedBarrier struct {
	entered   *atomic.Uint32  // number of ranks
	last      *atomic.Uint32  // the one that has entered last
	places    []atomic.Uint32 // by rank: a place
	histories []atomic.Uint32 // by rank: digest of its collectives up to this one
}

// place is what a word of sharedBarrier.places says: in its upper bits the
// number, modulo 2^29, of the collective that the rank has entered last; below
// how it stands there.
type place uint32

const (
	waiting  place = 0 // looks at its place
	asleep   place = 1 // waits for a message
	released place = 2 // may leave

	// reports is added to these if the rank sends rank 0 a message, too.
	reports place = 4
)

const placeBits = 3

// in says whether the rank has entered the collective of number seq.
func (p place) in(seq uint32) bool { return p>>placeBits == place(seq<<placeBits>>placeBits) }

func (b *sharedBarrier) at(rank int) place { return place(b.places[rank].Load()) }

// enter lets rank enter the collective of number seq. Whether it reports, too,
// is for it to say. The last one, if it is not rank 0, has to release that.
func (b *sharedBarrier) enter(rank int, seq, history uint32, report bool) (last bool) {
	p := place(seq)<<placeBits | waiting
	if report {
		p |= reports
	}
	b.histories[rank].Store(history)
	b.places[rank].Store(uint32(p))
	if int(b.entered.Add(1)) < len(b.places) {
		return false
	}
	b.last.Store(uint32(rank))
	return true
}

// release lets rank leave. If it is asleep, it has to be sent a message.
func (b *sharedBarrier) release(rank int) (wasAsleep bool) {
	p := b.at(rank) &^ asleep
	if b.places[rank].CompareAndSwap(uint32(p), uint32(p|released)) {
		return false
	}
	b.places[rank].Store(uint32(p | released))
	return true
}

// wait looks at the place of rank, as long as l does, and returns whether it may
// leave. If not, it is asleep and will get a message. Without l there is no hope.
func (b *sharedBarrier) wait(rank int, l *lookout) (mayLeave bool) {
	if l != nil && l.look(func() bool { return b.mayLeave(rank) }, time.Time{}) {
		return true
	}
	p := b.at(rank)
	return p&released != 0 || !b.places[rank].CompareAndSwap(uint32(p), uint32(p|asleep))
}

// mayLeave says whether rank has been released.
func (b *sharedBarrier) mayLeave(rank int) bool { return b.at(rank)&released != 0 }

// agreed says, once all have entered, whether they have come to the collective
// of number seq by way of the same ones before it.
func (b *sharedBarrier) agreed(seq uint32) bool {
	history := b.histories[0].Load()
	for rank := range b.places {
		if !b.at(rank).in(seq) || b.histories[rank].Load() != history {
			return false
		}
	}
	return true
}

// reporting returns, on rank 0 once all have entered, the ranks that send it a
// message: those that said so, and the last one if that found rank 0 asleep.
func (b *sharedBarrier) reporting(wasAsleep bool) []int {
	var ranks []int
	for rank := range b.places {
		if b.at(rank)&reports != 0 {
			ranks = append(ranks, rank)
		}
	}
	if last := int(b.last.Load()); wasAsleep && last < len(b.places) && !slices.Contains(ranks, last) {
		ranks = append(ranks, last)
	}
	return ranks
}

// absent returns the ranks that have not entered the collective of number seq.
func (b *sharedBarrier) absent(seq uint32) []int {
	var ranks []int
	for rank := range b.places {
		if !b.at(rank).in(seq) {
			ranks = append(ranks, rank)
		}
	}
	return ranks
}
