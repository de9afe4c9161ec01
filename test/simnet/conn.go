package simnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a connection.
type conn struct {
	from, to *Process
	in, out  *pipe
	closed   chan struct{}
	once     sync.Once

	readBy, writeBy timeLimit
}

func (c *conn) latency() time.Duration {
	if c.from.node == c.to.node {
		return c.from.net.model.Within
	}
	return c.from.net.model.Latency
}

// Write returns when the processor has done its part and the connection's buffer
// has taken all.
func (c *conn) Write(b []byte) (n int, err error) {
	for {
		piece := b[n:min(len(b), n+Buffer)]
		if err := c.wait(c.out.space, &c.writeBy, func() (bool, time.Time) { return c.out.room(len(piece)) }); err != nil {
			return n, err
		}
		c.work(len(piece))
		c.from.Writes.Add(1)
		c.from.Out.Add(int64(len(piece)))
		if !c.out.put(piece, c.arrival(len(piece))) {
			return n, syscall.EPIPE
		}
		if n += len(piece); n == len(b) {
			return n, nil
		}
	}
}

// work takes the processor for a call with bytes.
func (c *conn) work(bytes int) {
	m := c.from.net.model
	time.Sleep(time.Until(c.from.cpu.take(time.Now(), m.Call+over(bytes, m.Copy))))
}

// arrival is when bytes that leave now are at the other end: behind what has the
// ports of the two nodes.
func (c *conn) arrival(bytes int) time.Time {
	now, m := time.Now(), c.from.net.model
	if c.from.node == c.to.node {
		return now.Add(m.Within)
	}
	took := over(bytes, m.Rate)
	left := c.from.node.out.take(now, took)
	return c.to.node.in.take(left.Add(m.Latency-took), took)
}

// Read returns what has come.
func (c *conn) Read(b []byte) (n int, err error) {
	if err := c.wait(c.in.filled, &c.readBy, c.in.first); err != nil {
		return 0, err
	}
	n, err = c.in.take(b)
	if n > 0 {
		c.work(n)
		c.from.Reads.Add(1)
		c.from.In.Add(int64(n))
	}
	return n, err
}

// wait returns when ready is true, which also says until when to wait for the next
// look if there is such a time; changed has a value when there may be news.
func (c *conn) wait(changed chan struct{}, by *timeLimit, ready func() (bool, time.Time)) error {
	for {
		ok, next := ready()
		end, moved := by.get()
		switch {
		case isClosed(c.closed):
			return net.ErrClosed
		case !end.IsZero() && !end.After(time.Now()):
			return os.ErrDeadlineExceeded
		case ok:
			return nil
		}
		if next.IsZero() || !end.IsZero() && end.Before(next) {
			next = end
		}
		var alarm <-chan time.Time
		if !next.IsZero() {
			timer := time.NewTimer(time.Until(next))
			defer timer.Stop()
			alarm = timer.C
		}
		select {
		case <-changed:
		case <-moved:
		case <-alarm:
		case <-c.closed:
		}
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Close ends the connection. What is under way arrives.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.out.end(time.Now().Add(c.latency()))
		c.in.end(time.Time{})
	})
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return address(c.from.name) }
func (c *conn) RemoteAddr() net.Addr { return address(c.to.name) }

func (c *conn) SetDeadline(t time.Time) error {
	c.readBy.set(t)
	c.writeBy.set(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.readBy.set(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writeBy.set(t)
	return nil
}

// timeLimit is a time that may change while somebody waits for it.
type timeLimit struct {
	mu    sync.Mutex
	at    time.Time
	moved chan struct{}
}

func (d *timeLimit) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.moved != nil {
		close(d.moved)
		d.moved = nil
	}
}

func (d *timeLimit) get() (at time.Time, moved <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.moved == nil {
		d.moved = make(chan struct{})
	}
	return d.at, d.moved
}

// pipe is one direction of a connection.
type pipe struct {
	filled, space chan struct{} // have a value when that has changed

	mu     sync.Mutex
	chunks []chunk
	held   int       // bytes in them
	last   time.Time // arrival of the last one
	over   bool      // no more comes
	gone   bool      // nobody reads
}

type chunk struct {
	bytes []byte
	at    time.Time // of its arrival
}

func newPipe() *pipe { return &pipe{filled: make(chan struct{}, 1), space: make(chan struct{}, 1)} }

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// room says whether so many bytes fit in.
func (p *pipe) room(bytes int) (bool, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held == 0 || p.held+bytes <= Buffer || p.over || p.gone, time.Time{}
}

// put adds bytes, unless the pipe has ended.
func (p *pipe) put(b []byte, at time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.gone {
		return false
	}
	if at.Before(p.last) {
		at = p.last
	}
	p.last = at
	p.chunks = append(p.chunks, chunk{append([]byte(nil), b...), at})
	p.held += len(b)
	tell(p.filled)
	return true
}

// first says whether there is something to read now, or when there will be.
func (p *pipe) first() (bool, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.chunks) > 0 {
		at := p.chunks[0].at
		return !at.After(time.Now()), at
	}
	if !p.over {
		return false, time.Time{}
	}
	return !p.last.After(time.Now()), p.last
}

// take reads what has come.
func (p *pipe) take(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for n < len(b) && len(p.chunks) > 0 && !p.chunks[0].at.After(now) {
		moved := copy(b[n:], p.chunks[0].bytes)
		n += moved
		p.chunks[0].bytes = p.chunks[0].bytes[moved:]
		if len(p.chunks[0].bytes) == 0 {
			p.chunks[0] = chunk{}
			p.chunks = p.chunks[1:]
		}
	}
	p.held -= n
	tell(p.space)
	if len(p.chunks) > 0 || p.over {
		tell(p.filled)
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// end ends the pipe: from the side that writes with a time of arrival, else from
// the side that reads.
func (p *pipe) end(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.IsZero() {
		p.gone, p.chunks, p.held = true, nil, 0
	} else {
		p.over = true
		if p.last.Before(at) {
			p.last = at
		}
	}
	tell(p.filled)
	tell(p.space)
}
