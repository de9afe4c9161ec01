package ame

import (
	"bufio"
	"fmt"
	"io"
)

// readBuffer is the buffer of each connection. Bodies longer than what is in it
// are read straight into their place.
const readBuffer = 4 << 10

// frameReader takes frames from a stream of bytes and puts the bodies together
// that come in chunks. A read that a deadline ends is gone on with by the next.
type frameReader struct {
	self   int // rank of the job: whose chunks are put together
	peer   int // at the other end: 0 passes on what others say, who speak for themselves alone
	from   *bufio.Reader
	bounds bodyBounds
	begun  bool // the header of the next two has been read, its bytes have not
	frame  header
	into   *body           // what the bytes of frame belong to
	end    uint64          // length of into when frame is done
	plain  body            // of a frame that is not in chunks
	spares *spares         // nil: none
	bodies *unfinished     // in chunks
	took   func(h *header) // nil; or it is told of each frame, of its chunks by themselves
}

func newFrameReader(self, peer int, from io.Reader) *frameReader {
	return &frameReader{self: self, peer: peer, from: bufio.NewReaderSize(from, readBuffer), bounds: defaultBounds, bodies: &unfinished{}}
}

// read returns the next frame, one for this rank with its whole body.
func (r *frameReader) read() (header, []byte, error) {
	for {
		if !r.begun {
			if err := r.begin(); err != nil {
				return header{}, nil, err
			}
		}
		b := r.into
		if err := b.fill(r.from, r.end, &r.bounds, r.spares); err != nil {
			return header{}, nil, fmt.Errorf("in the middle of a %v frame of %d bytes: %w", r.frame.kind, r.frame.length, err)
		}
		r.begun = false
		if r.took != nil {
			r.took(&r.frame)
		}
		if b.done < b.length && int(r.frame.dest) == r.self {
			continue // the rest comes in chunks
		}
		if b != &r.plain {
			r.bodies.remove(b.source)
		}
		h, bytes := b.header, b.bytes
		b.bytes = nil
		return h, bytes, nil
	}
}

// begin reads the next header.
func (r *frameReader) begin() error {
	b, err := r.from.Peek(headerSize)
	if err != nil {
		if len(b) > 0 && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	h, err := parseHeader(b)
	if err != nil {
		return err
	}
	if r.peer != 0 && int(h.source) != r.peer {
		return fmt.Errorf("%v frame in the name of rank %d", h.kind, h.source)
	}
	r.from.Discard(headerSize)
	r.frame, r.plain = h, body{header: h}
	r.into, r.end = &r.plain, h.length
	if int(h.dest) == r.self {
		err = r.assemble(h)
	} else if h.flags&flagChunked != 0 {
		r.end = 0
	}
	r.begun = err == nil
	return err
}

// assemble finds out to which body the bytes of a frame for this rank belong.
func (r *frameReader) assemble(h header) error {
	if h.kind != kindChunk && h.flags&flagChunked == 0 {
		return nil
	}
	open := r.bodies.of(h.source)
	switch {
	case h.kind == kindChunk && open == nil:
		return fmt.Errorf("chunk of no body from rank %d", h.source)
	case h.kind == kindChunk && h.length > open.length-open.done:
		return fmt.Errorf("chunk of %d bytes from rank %d where %d are missing", h.length, h.source, open.length-open.done)
	case h.kind == kindChunk:
		r.into, r.end = open, open.done+h.length
	case open != nil:
		return fmt.Errorf("rank %d begins a body in the middle of another", h.source)
	default:
		r.into, r.end = &body{header: h}, 0
		r.bodies.add(r.into)
	}
	return nil
}

// giveUp lets another reader go on with the bodies of this one, which reads no
// more: a frame that has not come whole comes again.
func (r *frameReader) giveUp() {
	if r.begun && r.frame.kind == kindChunk {
		r.into.done = r.end - r.frame.length
	}
}
