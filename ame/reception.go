package ame

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
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

	// stuck is told of an error of the listener; if it returns true, it goes
	// on after a pause.
	stuck func(err error) bool

	handling sync.WaitGroup

	mu      sync.Mutex
	opening map[net.Conn]bool // connections whose handshake is under way
	over    bool
}

// acceptPause is the first and the longest pause after an error of a listener.
const (
	acceptPause     = 5 * time.Millisecond
	acceptLongPause = 100 * time.Millisecond
)

// accept takes connections until stop.
func (r *reception) accept() {
	pause := acceptPause
	for {
		conn, err := r.listener.Accept()
		if err == nil {
			pause = acceptPause
			if r.enter(conn) {
				go r.handle(conn)
			}
			continue
		}
		if r.isOver() || errors.Is(err, net.ErrClosed) || !r.stuck(err) {
			return
		}
		time.Sleep(pause)
		pause = min(2*pause, acceptLongPause)
	}
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
	r.handling.Add(1)
	return true
}

// leave notes that the handshake on a connection is over.
func (r *reception) leave(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.opening, conn)
}

// handle runs the handshake on one connection and hands it on if the other end
// is of this job.
func (r *reception) handle(conn net.Conn) {
	defer r.handling.Done()
	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	a, err := receive(conn, r.credentials)
	if err == nil {
		err = r.admit(conn, a, func() { r.leave(conn) })
	}
	r.leave(conn)
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
