package dlp

import (
	"iter"
	"slices"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
)

// source is what a loop goes over, on one rank: a slice, or a sequence if seq
// is set. One range at a time uses it.
type source[T any] struct {
	slice []T
	seq   iter.Seq[T]

	// The walk through seq, on first use.
	pull     func() (T, bool)
	stop     func()
	position int // of the item that pull returns next
}

// length is the number of items, or loop.Unknown.
func (s *source[T]) length() int {
	if s.seq != nil {
		return loop.Unknown
	}
	return len(s.slice)
}

// at returns an item. In a sequence indices must not go down. If there is no
// such item, ok is false and end is the number of items.
func (s *source[T]) at(index int) (item T, end int, ok bool) {
	if s.seq != nil {
		return s.walk(index)
	}
	if index >= len(s.slice) { // not from a manager that knows the length
		return item, len(s.slice), false
	}
	return s.slice[index], 0, true
}

func (s *source[T]) walk(index int) (item T, end int, ok bool) {
	if s.pull == nil {
		s.pull, s.stop = iter.Pull(s.seq)
	}
	for {
		item, ok = s.pull()
		if !ok {
			return item, s.position, false
		}
		s.position++
		if s.position > index {
			return item, 0, true
		}
	}
}

// all yields the items in order, for a rank that is alone.
func (s *source[T]) all() iter.Seq[T] {
	if s.seq != nil {
		return s.seq
	}
	return slices.Values(s.slice)
}

// close ends the walk through a sequence, and makes ready for another one.
func (s *source[T]) close() {
	if s.stop != nil {
		s.stop()
	}
	s.pull, s.stop, s.position = nil, nil, 0
}
