package dlp

import "iter"

// items is what a loop goes over, on one rank. One range at a time uses it.
type items[T any] interface {
	// length is the number of items, or unknown.
	length() int

	// at returns an item. For a sequence, indices must not go down, and
	// ok == false with the number of items if it ends before index.
	at(index int) (item T, end int, ok bool)

	// all yields the items in order, for a rank that is alone.
	all() iter.Seq2[int, T]

	// close ends the walk through a sequence, and makes ready for another one.
	close()
}

type sliceItems[T any] []T

func (s sliceItems[T]) length() int { return len(s) }

func (s sliceItems[T]) at(index int) (item T, end int, ok bool) {
	if index >= len(s) { // not from a manager that knows the length
		return item, len(s), false
	}
	return s[index], 0, true
}

func (s sliceItems[T]) all() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for i, item := range s {
			if !yield(i, item) {
				return
			}
		}
	}
}

func (s sliceItems[T]) close() {}

// seqItems walks a sequence, on first use.
type seqItems[T any] struct {
	seq      iter.Seq[T]
	pull     func() (T, bool)
	stop     func()
	position int // of the item that pull returns next
}

func (s *seqItems[T]) length() int { return unknown }

func (s *seqItems[T]) at(index int) (item T, end int, ok bool) {
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

func (s *seqItems[T]) all() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		i := 0
		for item := range s.seq {
			if !yield(i, item) {
				return
			}
			i++
		}
	}
}

func (s *seqItems[T]) close() {
	if s.stop != nil {
		s.stop()
	}
	s.pull, s.stop, s.position = nil, nil, 0
}

// Both are used by generic functions alone, which staticcheck does not follow.
var (
	_ items[int] = sliceItems[int](nil)
	_ items[int] = (*seqItems[int])(nil)
)
