package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// links are the connections of the ranks to rank 0, which go through this process:
// it can cut and delay each of them.
type links struct {
	key  string
	port int // of rank 0
	of   [ranks]*wire
	done sync.WaitGroup
}

// wire is the way from one rank to rank 0.
type wire struct {
	listener net.Listener
	root     string

	mu    sync.Mutex
	conns []net.Conn
	late  time.Duration // for each piece of what goes over it, either way
	cut   bool
}

// piece is how much is forwarded at once, in bytes.
const piece = 16 << 10

func newLinks() (*links, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	l := &links{key: base64.StdEncoding.EncodeToString(key)}
	// Rank 0 binds the port a moment later. Nobody else is given it in between but
	// by chance.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.port = free.Addr().(*net.TCPAddr).Port
	free.Close()
	for rank := 1; rank < ranks; rank++ {
		w := &wire{root: fmt.Sprintf("127.0.0.1:%d", l.port)}
		if w.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			l.close()
			return nil, err
		}
		l.of[rank] = w
		l.done.Go(func() { w.accept(&l.done) })
	}
	return l, nil
}

// close ends all connections.
func (l *links) close() {
	for _, w := range l.of {
		if w != nil {
			w.listener.Close()
			w.sever()
		}
	}
	l.done.Wait()
}

// text is what the ranks are told of it: see useLinks.
func (l *links) text() string {
	ports := []string{fmt.Sprint(l.port)}
	for _, w := range l.of[1:] {
		ports = append(ports, fmt.Sprint(w.listener.Addr().(*net.TCPAddr).Port))
	}
	return l.key + " " + strings.Join(ports, " ")
}

// useLinks makes this process, a rank, find rank 0 by way of its wire, as if it had
// been started by hand.
func useLinks(text string) error {
	var rank int
	fields := strings.Fields(text)
	if _, err := fmt.Sscan(os.Getenv("AME_RANK"), &rank); err != nil || rank+1 >= len(fields) {
		return fmt.Errorf("AME_RANK=%q has no wire in %d fields", os.Getenv("AME_RANK"), len(fields))
	}
	return errors.Join(os.Unsetenv("AME_CONTROL_FD"), os.Setenv("AME_MEMORY", "0"), os.Setenv("AME_JOB", "chaos"),
		os.Setenv("AME_HOST", "127.0.0.1"), os.Setenv("AME_PORT", fields[1+rank]), os.Setenv("AME_AUTHKEY", fields[0]))
}

// accept forwards what connects.
func (w *wire) accept(done *sync.WaitGroup) {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.root)
		if err != nil || !w.add(near, far) { // rank 0 may not be there yet: the rank tries again
			near.Close()
			continue
		}
		done.Go(func() { w.forward(far, near) })
		done.Go(func() { w.forward(near, far) })
	}
}

// add notes two ends that belong together. It returns false if the wire is cut.
func (w *wire) add(near, far net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		far.Close()
		return false
	}
	w.conns = append(w.conns, near, far)
	return true
}

// forward copies one way, and closes both ends with it, so that a rank's end is
// that of its link.
func (w *wire) forward(to, from net.Conn) {
	b := make([]byte, piece)
	for {
		n, err := from.Read(b)
		if n > 0 {
			time.Sleep(w.delay())
			if _, failed := to.Write(b[:n]); failed != nil {
				err = failed
			}
		}
		if err == io.EOF { // the other direction may have something to say still
			_ = to.(*net.TCPConn).CloseWrite()
			return
		}
		if err != nil {
			to.Close()
			from.Close()
			return
		}
	}
}

func (w *wire) delay() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.late
}

// slow delays what goes over the wire for a while.
func (w *wire) slow(late, length time.Duration) {
	w.mu.Lock()
	w.late += late
	w.mu.Unlock()
	time.Sleep(length)
	w.mu.Lock()
	w.late -= late
	w.mu.Unlock()
}

// sever cuts the wire, for ever.
func (w *wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for _, conn := range w.conns {
		_ = conn.(*net.TCPConn).SetLinger(0) // the other end is told at once
		conn.Close()
	}
	w.conns = nil
}
