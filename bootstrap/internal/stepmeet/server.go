package stepmeet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/listen"
)

const (
	// dialogueTime is the time for a whole rendezvous, a slow munged included.
	dialogueTime = 15 * time.Second
	// maxPending bounds the connections that have not said yet what they
	// are, or are in the dialogue. The oldest of the first kind make room for
	// more; without any, newcomers are closed, and ranks try again.
	maxPending = 1024
	// dropAtOnce is how many make room when the listener fails, mostly for
	// want of descriptors.
	dropAtOnce = 16
)

// arrival is what Accept returns.
type arrival struct {
	conn net.Conn
	err  error
}

// Server is rank 0's listener. It answers the ranks that look for rank 0,
// and gives all other connections to whoever accepts: nothing of theirs has
// been read then.
type Server struct {
	net.Listener
	member *Member
	room   int    // maxPending
	text   []byte // what ranks get that have proved themselves
	tell   func(string)
	owner  func(net.Conn) (uid int, ok bool) // of the process at the other end

	doomed context.Context // ends when a rank will never come
	doom   context.CancelCauseFunc

	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	passed    chan arrival
	serving   sync.WaitGroup
	closing   sync.Once
	closeErr  error
	mu        sync.Mutex
	complete  bool
	refused   map[string]bool // why ranks of our step were sent away, in words
	told      map[string]bool // of ranks that have given up
	pending   map[net.Conn]bool
	silent    []net.Conn                    // of these, who has not said yet what it is, the oldest first
	instances map[uint32][instanceSize]byte // the process that got the grant, by rank
}

func newServer(listener net.Listener, member *Member, tell func(string)) *Server {
	if tell == nil {
		tell = func(string) {}
	}
	s := &Server{
		Listener: listener, member: member, room: maxPending, tell: tell, owner: listen.Owner,
		passed: make(chan arrival), pending: make(map[net.Conn]bool),
		instances: make(map[uint32][instanceSize]byte), refused: make(map[string]bool), told: make(map[string]bool),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.doomed, s.doom = context.WithCancelCause(context.Background())
	return s
}

// Offer starts to answer ranks, with the text of rank 0, of at most MaxText bytes.
func (s *Server) Offer(text string) error {
	if len(text) > MaxText {
		return fmt.Errorf("text of %d bytes, at most %d can be sent", len(text), MaxText)
	}
	s.text = []byte(text)
	s.serving.Go(s.run)
	return nil
}

// Complete says that all ranks have joined. Who comes from then on is of
// another program of the same task, and is told to look on.
func (s *Server) Complete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complete = true
}

// Accept returns the next connection that is not of the rendezvous.
func (s *Server) Accept() (net.Conn, error) {
	select {
	case a := <-s.passed:
		return a.conn, a.err
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close ends the listener and the rendezvous. Connections that Accept returned
// stay open.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.cancel()
		s.closeErr = s.Listener.Close()
		s.mu.Lock()
		for conn := range s.pending {
			conn.Close()
		}
		s.mu.Unlock()
	})
	s.serving.Wait()
	return s.closeErr
}

func (s *Server) run() {
	for {
		conn, err := s.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // such as too many open files
			if s.drop(dropAtOnce) {
				time.Sleep(time.Millisecond) // until they are closed
			} else {
				s.pass(arrival{err: err}) // whoever accepts decides
			}
		case s.enter(conn):
			s.serving.Go(func() { s.handle(conn) })
		default:
			conn.Close()
		}
		if s.ctx.Err() != nil {
			return
		}
	}
}

// enter says whether there is room for a connection.
func (s *Server) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil && len(s.pending) >= s.room {
		s.dropSilent(1)
	}
	if s.ctx.Err() != nil || len(s.pending) >= s.room {
		return false
	}
	s.pending[conn] = true
	s.silent = append(s.silent, conn)
	return true
}

// drop closes the oldest connections that have not said what they are, and says
// whether there were any.
func (s *Server) drop(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropSilent(n)
}

// dropSilent is drop for a caller that holds mu.
func (s *Server) dropSilent(n int) bool {
	n = min(n, len(s.silent))
	for _, conn := range s.silent[:n] {
		conn.Close()
		delete(s.pending, conn)
	}
	s.silent = s.silent[n:]
	return n > 0
}

// speaks notes that a connection has said what it is.
func (s *Server) speaks(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = slices.DeleteFunc(s.silent, func(c net.Conn) bool { return c == conn })
}

func (s *Server) leave(conn net.Conn) {
	s.speaks(conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, conn)
}

func (s *Server) pass(a arrival) {
	select {
	case s.passed <- a:
	case <-s.ctx.Done():
		if a.conn != nil {
			a.conn.Close()
		}
	}
}

// handle looks at the first bytes of a connection, without taking them.
func (s *Server) handle(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(dialogueTime))
	ours, err := startsWith(conn, magic)
	s.speaks(conn)
	if err == nil && !ours {
		s.leave(conn)
		conn.SetDeadline(time.Time{})
		s.pass(arrival{conn: conn})
		return
	}
	if err == nil {
		s.greet(conn)
	}
	conn.Close()
	s.leave(conn)
}
