package ame

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// smallBody is the longest body that is copied behind its header, so that
// both leave in one plain write; longer ones leave by writev.
const smallBody = 4 << 10

// Keep-alive probes find a peer that has vanished from an idle connection,
// such as a node that lost power, after 35 s: the first after 15 s, and then
// one every 5 s, four of which are without an answer.
const (
	probeAfter = 15 * time.Second
	probeEvery = 5 * time.Second
	probes     = 4
)

// stream is a link over a connection that carries bytes: TCP, a Unix socket,
// or a pipe within this process.
type stream struct {
	rank   int
	conn   net.Conn
	in     net.Conn                 // where frames come from: conn, or memory. The holder of the token's
	memory atomic.Pointer[ringConn] // in place of conn, or about to be
	signs  *signs
	frames *frameReader
	token  *token
	ended  chan struct{}

	sharing  sharing
	deadline time.Time // of reads; zero: none. The holder of the token's

	wrote   atomic.Bool // since quiet was last called
	writing lock        // held while a frame is written; guards what follows
	out     net.Conn    // where frames go: conn, or memory
	scratch []byte
	broken  error // why a frame was cut off: nothing may follow it
}

// newStream makes conn the link of rank self to rank peer.
func newStream(self, peer int, conn net.Conn) *stream {
	if tcp, ok := carrier(conn).(*net.TCPConn); ok {
		tcp.SetNoDelay(true)
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: probeAfter, Interval: probeEvery, Count: probes})
	}
	s := &signs{Conn: conn}
	return &stream{
		rank: peer, conn: conn, in: conn, out: conn, signs: s, frames: newFrameReader(self, peer, s), token: newToken(),
		ended: make(chan struct{}), writing: newLock(),
	}
}

func (s *stream) peer() int           { return s.rank }
func (s *stream) reading() *token     { return s.token }
func (s *stream) over() chan struct{} { return s.ended }
func (s *stream) bodiesMayChange()    {}
func (s *stream) sign() bool          { return s.signs.sign() }

func (s *stream) close() {
	s.conn.Close()
	if c := s.memory.Load(); c != nil {
		c.Close()
	}
	s.takeBack()
}

func (s *stream) read() (header, []byte, error) {
	h, body, err := s.frames.read()
	s.crossed()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.deadline = time.Unix(1, 0) // whoever has set it, it is to be set anew
	}
	return h, body, err
}

func (s *stream) readFor(d time.Duration) {
	var until time.Time
	if d > 0 {
		now := time.Now()
		if s.deadline.Sub(now) >= d/2 {
			return
		}
		until = now.Add(d)
	}
	if until != s.deadline {
		s.in.SetReadDeadline(until)
		s.deadline = until
	}
}

func (s *stream) idle(ctx context.Context) error {
	err := s.writing.take(ctx)
	if err == nil {
		s.writing.release()
	}
	return err
}

func (s *stream) closeWrite() {
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

func (s *stream) write(ctx context.Context, h header, body []byte) error {
	if err := s.writing.take(ctx); err != nil {
		return err
	}
	defer s.writing.release()
	if s.broken != nil {
		return s.broken
	}
	s.crossed()
	n, err := s.put(ctx, h, body)
	if err != nil && n == 0 && ctx.Err() != nil && !isSealed(s.out) { // TLS goes on after no such end
		return unsent{context.Cause(ctx)}
	}
	s.broken = err
	s.wrote.Store(true)
	return err
}

func (s *stream) quiet() bool { return !s.wrote.Swap(false) && !s.writing.taken() }

func (s *stream) dismiss(spawn func(func()), h header, body []byte) {
	spawn(func() {
		defer s.close()
		ctx, cancel := context.WithTimeout(context.Background(), tellTime)
		defer cancel()
		if s.writing.take(ctx) != nil { // the other end takes nothing
			return
		}
		defer s.writing.release()
		if s.broken == nil {
			s.out.SetWriteDeadline(time.Now().Add(tellTime))
			_, s.broken = s.put(context.Background(), h, body)
		}
	})
}

// put writes a frame and returns how many bytes of it are on their way.
func (s *stream) put(ctx context.Context, h header, body []byte) (n int64, err error) {
	if ctx.Done() != nil && !s.takes(headerSize+len(body)) {
		defer s.interruptible(ctx)()
	}
	s.scratch = h.appendTo(s.scratch[:0])
	if len(body) <= smallBody {
		s.scratch = append(s.scratch, body...)
		var written int
		written, err = s.out.Write(s.scratch)
		n = int64(written)
	} else if c, ok := s.out.(*ringConn); ok {
		n, err = c.writeBoth(s.scratch, body)
	} else {
		both := net.Buffers{s.scratch, body}
		n, err = both.WriteTo(s.out)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return n, err
}

// takes says whether so many bytes leave at once, whatever the other end does. The
// caller holds the lock.
func (s *stream) takes(n int) bool {
	c, ok := s.out.(*ringConn)
	return ok && c.out.room() >= n
}

// interruptible makes a blocked write return when ctx ends. The function it
// returns undoes that, so that a ctx that ends too late harms no later write.
func (s *stream) interruptible(ctx context.Context) (undo func()) {
	out, fired := s.out, make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		out.SetWriteDeadline(time.Unix(1, 0))
		close(fired)
	})
	return func() {
		if !stop() {
			<-fired
			out.SetWriteDeadline(time.Time{})
		}
	}
}
