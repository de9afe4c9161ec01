package dlp

import (
	"iter"
	"slices"
)

// items is what a loop goes over, on one rank. One range at a time uses it.
type items[T any] struct {
	// length is the number of items, or unknown.
	length int

	// all yields the items in order, for a rank that is alone.
	all iter.Seq2[int, T]

	// at returns an item. For a sequence, indices must not go down, and
	// ok == false with the number of items if it ends before index.
	at func(index int) (item T, end int, ok bool)

	// close ends the walk through a sequence, and makes ready for another one.
	close func()
}

func itemsOfSlice[T any](s []T) items[T] {
	return items[T]{
		length: len(s),
		all:    slices.All(s),
		at: func(index int) (item T, end int, ok bool) {
			if index >= len(s) { // not from a manager that knows the length
				return item, len(s), false
			}
			return s[index], 0, true
		},
		close: func() {},
	}
}

func itemsOfSeq[T any](seq iter.Seq[T]) items[T] {
	w := &walk[T]{seq: seq}
	return items[T]{length: unknown, all: enumerate(seq), at: w.to, close: w.close}
}

// enumerate yields the items of a sequence with their indices.
func enumerate[T any](seq iter.Seq[T]) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		i := 0
		for item := range seq {
			if !yield(i, item) {
				return
			}
			i++
		}
	}
}

// walk goes through a sequence, from its first use on.
type walk[T any] struct {
	seq      iter.Seq[T]
	pull     func() (T, bool)
	stop     func()
	position int // of the item that pull returns next
}

func (w *walk[T]) to(index int) (item T, end int, ok bool) {
	if w.pull == nil {
		w.pull, w.stop = iter.Pull(w.seq)
	}
	for {
		item, ok = w.pull()
		if !ok {
			return item, w.position, false
		}
		w.position++
		if w.position > index {
			return item, 0, true
		}
	}
}

func (w *walk[T]) close() {
	if w.stop != nil {
		w.stop()
	}
	w.pull, w.stop, w.position = nil, nil, 0
}
