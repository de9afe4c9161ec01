package ame

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// reception takes connections at this rank's listener as long as the job
// lives. Each is handled on its own, so that one that says nothing keeps nobody
// waiting.
type reception struct {
	listener    net.Listener
	credentials *credentials
	log         *slog.Logger

	// admit is given a connection whose other end has proved to be a rank.
	// Its error is why the connection was not taken; it is closed then. Before
	// others use it as a link it calls taken: stop leaves it alone then.
	admit func(conn net.Conn, a *admission, taken func()) error

	// reject is told why a connection was turned away.
	reject func(reason string)

	// stuck is told of an error of the listener, and for how long there were
	// nothing but errors; if it returns true, it goes on after a pause.
	stuck func(err error, lasts time.Duration) bool

	handling sync.WaitGroup

	mu      sync.Mutex
	opening map[net.Conn]bool // connections whose handshake is under way; false: dropped
	queue   []net.Conn        // those whose other end has proved nothing, the oldest first
	over    bool
}

const (
	// maxOpening bounds how many connections may have proved nothing. Ranks do
	// so at once: the oldest ones make room.
	maxOpening = 1024

	// dropAtOnce is how many make room when the listener fails, mostly for want
	// of descriptors.
	dropAtOnce = 16
)

// acceptPause is the first and the longest pause after an error of a listener.
const (
	acceptPause     = 5 * time.Millisecond
	acceptLongPause = 100 * time.Millisecond
)

// accept takes connections until stop.
func (r *reception) accept() {
	pause := acceptPause
	var since time.Time // of errors alone
	for {
		conn, err := r.listener.Accept()
		if err == nil {
			pause, since = acceptPause, time.Time{}
			if r.enter(conn) {
				go r.handle(conn)
			}
			r.drop(r.above(maxOpening))
			continue
		}
		if since.IsZero() {
			since = time.Now()
		}
		if r.drop(dropAtOnce) {
			pause = acceptPause
		}
		if r.isOver() || errors.Is(err, net.ErrClosed) || !r.stuck(err, time.Since(since)) {
			return
		}
		time.Sleep(pause)
		pause = min(2*pause, acceptLongPause)
	}
}

// drop closes the oldest connections whose other end has proved nothing, and
// says whether there were any.
func (r *reception) drop(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, len(r.queue))
	for _, conn := range r.queue[:n] {
		r.opening[conn] = false
		conn.Close()
	}
	r.queue = r.queue[n:]
	return n > 0
}

// above returns how many more than n there are that have proved nothing.
func (r *reception) above(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, len(r.queue)-n)
}

// proved notes that the other end has proved to be of this job.
func (r *reception) proved(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = slices.DeleteFunc(r.queue, func(c net.Conn) bool { return c == conn })
}

func (r *reception) isOver() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// stop ends the listener and the handshakes that are under way, and waits for
// them.
func (r *reception) stop() {
	r.listener.Close()
	r.mu.Lock()
	r.over = true
	for conn := range r.opening {
		conn.Close()
	}
	r.mu.Unlock()
	r.handling.Wait()
}

// enter notes a connection whose handshake begins, false if it is too late.
func (r *reception) enter(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		conn.Close()
		return false
	}
	r.opening[conn] = true
	r.queue = append(r.queue, conn)
	r.handling.Add(1)
	return true
}

// errDropped is why a connection was closed that had proved nothing.
var errDropped = errors.New("it had proved nothing when there were too many")

// leave notes that the handshake on a connection is over, and says whether the
// connection was dropped before.
func (r *reception) leave(conn net.Conn) (dropped bool) {
	r.proved(conn)
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, known := r.opening[conn]
	delete(r.opening, conn)
	return known && !kept
}

// handle runs the handshake on one connection and hands it on if the other end
// is of this job.
func (r *reception) handle(conn net.Conn) {
	defer r.handling.Done()
	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	var a *admission
	secured, err := r.credentials.encryption.listen(conn)
	if err == nil {
		a, err = receive(secured, r.credentials)
	}
	if err == nil {
		r.proved(conn)
		err = r.admit(secured, a, func() { r.leave(conn) })
	}
	if r.leave(conn) {
		err = errDropped
	}
	if err == nil {
		return
	}
	conn.Close()
	if err == errAbandoned || r.isOver() {
		return
	}
	r.log.Warn("connection turned away", "rank", r.credentials.rank, "address", conn.RemoteAddr(), "reason", err)
	r.reject(strings.TrimPrefix(plainText(err), ErrAuth.Error()+": "))
}

// say ends a handshake with a verdict.
func say(conn net.Conn, v verdict) error {
	if _, err := conn.Write([]byte{byte(v)}); err != nil {
		return fmt.Errorf("before its verdict: %s", plainText(err))
	}
	return nil
}
