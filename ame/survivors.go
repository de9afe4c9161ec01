package ame

import (
	"fmt"
	"slices"
	"sync"
)

// survivors is what rank 0 knows of the communicators that are being shrunk. It
// does no I/O: it is told who has asked, and says who is left.
type survivors struct {
	mu   sync.Mutex
	open map[commID]*shrinking
}

// shrinking is a communicator of which some ranks have asked for the rest.
type shrinking struct {
	ranks []int         // of the job, in the order of the communicator
	asked map[int]bool  // by rank; false: it takes no part, since it has closed the communicator
	done  chan struct{} // closed when it is known who is left
}

// settled is a communicator of which it is known who is left.
type settled struct {
	id    commID
	ranks []int // of the job, in the order of the communicator
}

// maxShrinking bounds how many communicators are shrunk at a time.
const maxShrinking = 1 << 12

// ask notes that a rank wants what is left of a communicator of the given ranks,
// and returns what is closed when that is known, and whether the rank is the
// first to ask.
func (s *survivors) ask(id commID, rank int, ranks []int) (done chan struct{}, first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.open[id]
	if w == nil && len(s.open) == maxShrinking {
		return nil, false, fmt.Errorf("rank %d shrinks more than %d communicators at a time", rank, maxShrinking)
	}
	if first = w == nil; first {
		if s.open == nil {
			s.open = map[commID]*shrinking{}
		}
		w = &shrinking{ranks: ranks, asked: map[int]bool{}, done: make(chan struct{})}
		s.open[id] = w
	}
	if !slices.Equal(w.ranks, ranks) || !slices.Contains(ranks, rank) {
		return nil, false, fmt.Errorf("rank %d shrinks communicator %v of other ranks than others do", rank, id)
	}
	w.asked[rank] = true
	return w.done, first, nil
}

// decline notes that a rank takes no part in what is left of a communicator.
func (s *survivors) decline(id commID, rank int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.open[id]; w != nil && !w.asked[rank] {
		w.asked[rank] = false
	}
}

// settle returns, once, the communicators of which all ranks but those that are
// gone have said whether they take part.
func (s *survivors) settle(gone func(rank int) bool) (all []settled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, w := range s.open {
		if w.missing(gone) != nil {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(w.ranks), func(rank int) bool { return !w.asked[rank] || gone(rank) })
		all = append(all, settled{id, left})
		close(w.done)
		delete(s.open, id)
	}
	return all
}

// missing returns the ranks of which a communicator still waits to hear.
func (s *survivors) missing(id commID, gone func(rank int) bool) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.open[id]; w != nil {
		return w.missing(gone)
	}
	return nil
}

func (w *shrinking) missing(gone func(rank int) bool) (ranks []int) {
	for _, rank := range w.ranks {
		if _, said := w.asked[rank]; !said && !gone(rank) {
			ranks = append(ranks, rank)
		}
	}
	return ranks
}
