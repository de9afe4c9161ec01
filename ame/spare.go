package ame

import "sync"

// spares keeps long bodies that have been copied to where they were wanted, so
// that the next ones lie in memory that the process has already: fresh memory
// costs more than the copy, because the system clears every page of it. What
// nobody takes goes with the garbage.
type spares struct{ pool sync.Pool }

// minSpare is the length of a body, in bytes, that is worth keeping.
const minSpare = 64 << 10

// take returns n bytes, with anything in them.
func (s *spares) take(n uint64) []byte {
	if s != nil && n >= minSpare {
		if b, ok := s.pool.Get().(*[]byte); ok && uint64(cap(*b)) >= n && uint64(cap(*b)) <= 2*n {
			return (*b)[:n]
		}
	}
	return make([]byte, n)
}

// give keeps b, which nobody uses any more: it has come by way of a
// frameReader and is in nobody else's hands.
func (s *spares) give(b []byte) {
	if cap(b) >= minSpare {
		s.pool.Put(&b)
	}
}
