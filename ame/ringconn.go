package ame

import (
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// ringConn carries bytes between two processes of a node through memory. It
// stands on the connection that they have had before: a reader that sleeps does
// so in a read of that, and is woken by a byte that means nothing else. So a
// process that ends ends its ringConn, too, and what it has put before is read.
type ringConn struct {
	net.Conn
	in, out        *ring
	reader, writer lookout
	recall         func() // makes somebody read from this end, see token
	start          time.Time
	bells          [64]byte // bytes that have woken a reader

	readEnd, writeEnd atomic.Int64 // deadlines, since start; 0: none
	asleep            atomic.Bool  // a reader reads from Conn
	closed            atomic.Bool
}

// A writer that finds no room looks for it, and then from time to time.
const (
	firstSleep = 50 * time.Microsecond
	lastSleep  = 20 * time.Millisecond
)

func newRingConn(base net.Conn, in, out *ring, l lookout, recall func()) *ringConn {
	return &ringConn{
		Conn: base, in: in, out: out, reader: l, writer: l, recall: recall, start: time.Now(),
	}
}

// Read returns what there is. A reader with a deadline is a call, which looks
// for a while before it sleeps; one without sleeps at once.
func (c *ringConn) Read(b []byte) (int, error) {
	for !c.closed.Load() {
		n, err := c.in.take(b)
		runtime.KeepAlive(c) // who has no ringConn has no memory
		if n > 0 || err != nil {
			return n, err
		}
		if end := c.deadline(&c.readEnd); !end.IsZero() && c.reader.look(c.hasBytes, end) {
			continue
		}
		if !c.in.beforeSleep() {
			continue
		}
		if err := c.sleep(); err != nil && c.in.empty() {
			return 0, err
		}
	}
	return 0, net.ErrClosed
}

// sleep waits for a byte, or the end, of the connection.
func (c *ringConn) sleep() error {
	c.asleep.Store(true)
	defer c.asleep.Store(false)
	for end := int64(-1); end != c.readEnd.Load(); { // it may be set at the same time
		end = c.readEnd.Load()
		c.Conn.SetReadDeadline(c.deadline(&c.readEnd))
	}
	_, err := c.Conn.Read(c.bells[:])
	return err
}

// Write returns when all of b is in the ring, which says nothing about its
// receipt. On an error a part of it may be there.
func (c *ringConn) Write(b []byte) (n int, err error) { return c.write(b, false) }

// writeBoth is Write of a header and its body, for which the reader is woken
// once.
func (c *ringConn) writeBoth(header, body []byte) (n int64, err error) {
	first, err := c.write(header, true)
	if err != nil {
		return int64(first), err
	}
	second, err := c.write(body, false)
	return int64(first + second), err
}

// write is Write. With more to follow, it wakes the reader only if that has to
// make room.
func (c *ringConn) write(b []byte, more bool) (n int, err error) {
	for {
		if c.closed.Load() {
			return n, net.ErrClosed
		}
		// In pieces, so that the reader copies one while the next is written.
		piece := b[n:min(len(b), n+len(c.out.data)/4)]
		put, err := c.out.put(piece)
		runtime.KeepAlive(c)
		n += put
		if err != nil {
			return n, err
		}
		if put > 0 && !(more && n == len(b)) && c.out.ringing() {
			if _, err := c.Conn.Write([]byte{0}); err != nil {
				return n, err
			}
		}
		if n == len(b) {
			return n, nil
		}
		if put < len(piece) && !c.awaitRoom() {
			return n, os.ErrDeadlineExceeded
		}
	}
}

// awaitRoom waits until there is room or this end is closed. It returns false
// at the deadline.
func (c *ringConn) awaitRoom() bool {
	if c.writer.look(c.hasRoom, c.deadline(&c.writeEnd)) {
		return true
	}
	c.recall() // the other end may wait for room, too
	for pause := firstSleep; !c.hasRoom(); pause = min(2*pause, lastSleep) {
		if end := c.deadline(&c.writeEnd); !end.IsZero() && !time.Now().Before(end) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}

// hasBytes says, to the reader, whether a look has been worth it.
func (c *ringConn) hasBytes() bool { return !c.in.empty() }

// hasRoom says, to the writer, whether it need not wait.
func (c *ringConn) hasRoom() bool { return !c.out.full() || c.closed.Load() }

// since is the point of time t as readEnd and writeEnd have it.
func (c *ringConn) since(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if d := int64(t.Sub(c.start)); d != 0 {
		return d
	}
	return 1
}

// deadline is the point of time that since has made of it.
func (c *ringConn) deadline(of *atomic.Int64) time.Time {
	if end := of.Load(); end != 0 {
		return c.start.Add(time.Duration(end))
	}
	return time.Time{}
}

// SetReadDeadline is for a Read that is under way, too.
func (c *ringConn) SetReadDeadline(t time.Time) error {
	c.readEnd.Store(c.since(t))
	if c.asleep.Load() {
		return c.Conn.SetReadDeadline(t)
	}
	return nil
}

// SetDeadline is both of the following.
func (c *ringConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetWriteDeadline is for a Write that is under way, too.
func (c *ringConn) SetWriteDeadline(t time.Time) error {
	c.writeEnd.Store(c.since(t))
	return nil
}

// Close ends reads and writes, also those that are under way.
func (c *ringConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}
