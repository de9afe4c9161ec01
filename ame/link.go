package ame

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

const (
	// smallBody is the longest body that is copied behind its header, so
	// that both leave in one plain write; longer ones leave by writev.
	smallBody = 4 << 10

	// readBuffer is the buffer of each connection. Bodies longer than what
	// is in it are read straight into their final place.
	readBuffer = 4 << 10

	// maxAhead is how much is allocated, in bytes, before any of it has
	// arrived; a longer body grows with what comes. It keeps a corrupt
	// length from ending the process.
	maxAhead = 1 << 30
)

// link is one authenticated connection to another rank. Its two locks are
// channels: one is waited for with a ctx, and both may be held while the other
// end takes its time, which testing/synctest accepts of no mutex.
type link struct {
	peer int
	conn net.Conn

	writing chan struct{} // holds a value while a frame is written; guards what follows
	scratch []byte
	broken  error // why a frame was cut off: nothing may follow it

	turn     chan struct{} // holds a value while frames are read; guards what follows
	reader   *bufio.Reader
	partial  partial   // a frame that an ended read deadline has cut in two
	deadline time.Time // of reads; zero: none
	err      error     // why nothing more can be read
	ahead    uint64    // maxAhead

	used   atomic.Bool   // a call has read from this link itself of late
	lent   atomic.Bool   // its goroutine does not read from it
	wanted chan struct{} // gets a value when a call gives the link back early
	relays atomic.Bool   // rank 0 has forwarded frames from this link: it is lent no more
	over   chan struct{} // closed when nothing more will be read
}

// partial is a frame whose header is here and whose body is on its way.
type partial struct {
	header
	body []byte
	done uint64 // bytes of body that are here
	open bool
}

func newLink(peer int, conn net.Conn) *link {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetNoDelay(true)
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4})
	}
	return &link{
		peer: peer, conn: conn, reader: bufio.NewReaderSize(conn, readBuffer),
		writing: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		ahead: maxAhead, wanted: make(chan struct{}, 1), over: make(chan struct{}),
	}
}

// unsent is the error of a write that ctx ended before its first byte.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

// lock waits until no other frame is being written.
func (l *link) lock(ctx context.Context) error {
	select {
	case l.writing <- struct{}{}:
		return nil
	default:
	}
	select {
	case l.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return unsent{context.Cause(ctx)}
	}
}

// write sends one frame. It blocks until the kernel has taken all of it. On
// any error but unsent part of the frame may be on its way, so the link takes
// no more of them.
func (l *link) write(ctx context.Context, h *header, body []byte) error {
	h.length = uint64(len(body))
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer func() { <-l.writing }()
	if l.broken != nil {
		return l.broken
	}
	l.broken = l.put(ctx, h, body)
	return l.broken
}

func (l *link) put(ctx context.Context, h *header, body []byte) error {
	if ctx.Done() != nil {
		defer l.interruptible(ctx)()
	}
	l.scratch = h.appendTo(l.scratch[:0])
	var err error
	if len(body) <= smallBody {
		l.scratch = append(l.scratch, body...)
		_, err = l.conn.Write(l.scratch)
	} else {
		both := net.Buffers{l.scratch, body}
		_, err = both.WriteTo(l.conn)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// interruptible makes a blocked write return when ctx ends. The function it
// returns undoes that, so that a ctx that ends too late harms no later write.
func (l *link) interruptible(ctx context.Context) (undo func()) {
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		l.conn.SetWriteDeadline(time.Unix(1, 0))
		close(fired)
	})
	return func() {
		if !stop() {
			<-fired
			l.conn.SetWriteDeadline(time.Time{})
		}
	}
}

// next makes the header of the next frame that of l.partial, if it is not yet.
func (l *link) next() error {
	if l.partial.open {
		return nil
	}
	b, err := l.reader.Peek(headerSize)
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
	l.reader.Discard(headerSize)
	l.partial = partial{header: h, open: true}
	return nil
}

// read returns the next frame. The body is the caller's to keep. After an
// ended read deadline it may be called again and goes on where it was. The
// caller holds turn.
func (l *link) read() (header, []byte, error) {
	if err := l.next(); err != nil {
		return header{}, nil, err
	}
	p := &l.partial
	if err := p.fill(l.reader, l.ahead); err != nil {
		return header{}, nil, fmt.Errorf("in the middle of a %v frame of %d bytes: %w", p.kind, p.length, err)
	}
	h, body := p.header, p.body
	*p = partial{}
	return h, body, nil
}

// fill reads what is missing of the body, straight into its place. At most
// ahead bytes, or as much again as is here, are allocated before they come.
func (p *partial) fill(r io.Reader, ahead uint64) error {
	for p.done < p.length {
		if p.done == uint64(len(p.body)) {
			grown := make([]byte, min(p.length, max(ahead, 2*p.done)))
			copy(grown, p.body)
			p.body = grown
		}
		n, err := io.ReadFull(r, p.body[p.done:])
		p.done += uint64(n)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}
