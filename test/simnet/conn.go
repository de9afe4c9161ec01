package simnet

import (
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
