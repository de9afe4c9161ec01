package ame

import (
	"fmt"
	"io"
	"runtime"
)

// body is a body of which some bytes may be missing. A long one lies in pieces
// until it is whole, so that it never takes much more memory than has come of it.
type body struct {
	header
	bytes  []byte
	pieces []*piece
	done   uint64 // bytes that are here
}

// bodyBounds are what a body takes before it has come, in bytes.
type bodyBounds struct {
	// ahead is the longest body that is allocated as a whole. It keeps a corrupt
	// length from ending the process.
	ahead uint64

	piece uint64 // length of the pieces of a longer one
}

var defaultBounds = bodyBounds{ahead: 1 << 30, piece: 64 << 20}

// fill reads what is missing up to end bytes, and makes the body whole if that is
// all.
func (b *body) fill(from io.Reader, end uint64, m *bodyBounds, s *spares) error {
	for b.done < end {
		place, err := b.place(m, s)
		if err != nil {
			return err
		}
		n, err := io.ReadFull(from, place[:min(end-b.done, uint64(len(place)))])
		b.done += uint64(n)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	if b.done == b.length && b.pieces != nil {
		b.join()
	}
	return nil
}

// place is where the next bytes belong, at least one.
func (b *body) place(m *bodyBounds, s *spares) ([]byte, error) {
	if b.bytes == nil && b.length <= m.ahead {
		b.bytes = s.take(b.length)
	}
	if b.bytes != nil {
		return b.bytes[b.done:], nil
	}
	i := b.done / m.piece
	if i == uint64(len(b.pieces)) {
		p, err := newPiece(int(min(m.piece, b.length-b.done)))
		if err != nil {
			return nil, fmt.Errorf("for %d of %d bytes: %w", b.done, b.length, err)
		}
		b.pieces = append(b.pieces, p)
	}
	return b.pieces[i].bytes[b.done%m.piece:], nil
}

// join puts the pieces together. Each is given back when it is copied, and what they
// go to takes memory only as they come: so much is fresh from the system.
func (b *body) join() {
	b.bytes = make([]byte, b.length)
	at := b.bytes
	for _, p := range b.pieces {
		at = at[copy(at, p.bytes):]
		p.free()
	}
	b.pieces = nil
}

// piece is memory outside of the heap, since that takes back nothing at once.
type piece struct {
	bytes  []byte
	undone runtime.Cleanup // of a body that nobody waits for any more
}

func newPiece(n int) (*piece, error) {
	bytes, err := mapMemory(n)
	if err != nil {
		return nil, err
	}
	p := &piece{bytes: bytes}
	p.undone = runtime.AddCleanup(p, unmapMemory, bytes)
	return p, nil
}

// free gives the memory back, which nobody uses any more.
func (p *piece) free() {
	p.undone.Stop()
	unmapMemory(p.bytes)
	p.bytes = nil
}
