package pmi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	// maxLine bounds a line from a client, in bytes. The longest that a
	// client has reason to send is a spawn request's argument.
	maxLine = 16 << 10

	// writeTimeout is for a client that has stopped to read. Replies are
	// short and fit the buffer of a socket, so that only a client that
	// sends requests without end and ignores the replies comes to that.
	writeTimeout = 10 * time.Second

	// defaultDesertion is how long the others may go on after a rank has
	// left without finalizing.
	defaultDesertion = 10 * time.Second
)

// Config describes the job of a Server.
type Config struct {
	// Job names the key-value space: 1 to 255 bytes without spaces, not used
	// by another running job of this launcher.
	Job string

	// Nodes has an entry per rank: the number of the node that the rank runs
	// on, counted from 0.
	Nodes []int

	// Notice is told, if it is not nil, once of each thing that a rank asks for
	// in vain. It must not wait, nor call methods of the Server.
	Notice func(rank int, n Notice)
}

// Notice is something that a rank asked for in vain.
type Notice struct {
	Kind NoticeKind
	Text string // "asked for ..."
}

// NoticeKind tells notices apart, for what to advise.
type NoticeKind int

const (
	OtherVersion NoticeKind = 1 // of PMI
	Spawn        NoticeKind = 2 // of processes
)

// Server is the launcher's side of PMI-1 for one job. It does what MPI_Init and
// MPI_Finalize need, and keeps the names that ranks publish; spawning is refused.
type Server struct {
	size      int
	notice    func(rank int, n Notice)
	desertion time.Duration

	mu      sync.Mutex
	engine  *engine
	stopped bool      // what the clients do is no news any more
	fail    *JobError // the first one
	conns   []net.Conn
	timers  []*time.Timer
}

// NewServer returns a Server for the job described by config.
func NewServer(config Config) (*Server, error) {
	switch {
	case len(config.Nodes) == 0 || len(config.Nodes) > maxMapped:
		return nil, fmt.Errorf("pmi: a server for %d ranks", len(config.Nodes))
	case config.Job == "" || len(config.Job) >= serverNameMax || strings.ContainsAny(config.Job, " \n"):
		return nil, fmt.Errorf("pmi: %q cannot be the name of a job", config.Job)
	}
	return &Server{
		size:      len(config.Nodes),
		notice:    config.Notice,
		desertion: defaultDesertion,
		engine:    newEngine(config.Job, config.Nodes),
	}, nil
}

// Serve answers the clients: conns[r] is the connection to rank r. It blocks
// until every rank has finalized or its connection has ended, and returns nil;
// or until the job has failed, and returns a *JobError; or until ctx has ended.
//
// A rank that leaves early is not an error as long as nobody waits for it; but
// one that has inited and not finalized must not leave others behind for more
// than ten seconds. Reads have no deadline, because an MPI program may compute
// for days before it says another word.
//
// Serve closes the connection of a rank that has finalized. The caller closes
// all of them when Serve has returned; if the job has failed it kills the
// processes first, for they would complain about the loss. Serve is called once.
func (s *Server) Serve(ctx context.Context, conns []net.Conn) error {
	if len(conns) != s.size {
		return fmt.Errorf("pmi: %d connections for a job of %d ranks", len(conns), s.size)
	}
	s.mu.Lock()
	s.conns = conns
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.stop)
	defer stop()

	var readers sync.WaitGroup
	for rank, conn := range conns {
		readers.Go(func() { s.read(rank, conn) })
	}
	readers.Wait()
	s.stop()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	return ctx.Err()
}

// read takes the lines of one client until it has no more to say.
func (s *Server) read(rank int, conn net.Conn) {
	in := bufio.NewReaderSize(conn, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			s.ended(rank, err)
			return
		}
		text := string(line[:len(line)-1])
		if !s.handle(rank, func() step { return s.engine.receive(rank, text) }) {
			return
		}
	}
}

// Exited tells the server that the process of rank has ended. What it has sent
// is still answered for; what else has a hold on its connection, a child of
// the process perhaps, does not keep it open.
func (s *Server) Exited(rank int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rank < 0 || rank >= len(s.conns) {
		return
	}
	if conn, ok := s.conns[rank].(interface{ CloseRead() error }); ok {
		_ = conn.CloseRead() // an error means that it is closed already
	}
}

// Heard says whether any rank has sent anything: none does that runs no program
// of PMI-1.
func (s *Server) Heard() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.engine.heard()
}

// ended handles the end of a client's lines. Half a line counts for nothing:
// its sender was killed.
func (s *Server) ended(rank int, err error) {
	s.handle(rank, func() step {
		if errors.Is(err, bufio.ErrBufferFull) {
			return s.engine.reject(rank, fmt.Errorf("sent a line of more than %d bytes", maxLine))
		}
		return s.engine.disconnect(rank)
	})
}

// handle lets the engine take an event of the client of rank, does what the
// engine says, and reports whether the client may go on.
func (s *Server) handle(rank int, event func() step) bool {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return false
	}
	todo := event()
	if todo.fail != nil {
		s.stopped, s.fail = true, todo.fail
	}
	if todo.desert {
		s.timers = append(s.timers, time.AfterFunc(s.desertion, func() {
			s.handle(rank, func() step { return s.engine.deserted(rank) })
		}))
	}
	s.mu.Unlock()

	if todo.notice != (Notice{}) && s.notice != nil {
		s.notice(rank, todo.notice)
	}
	for _, r := range todo.replies {
		s.write(r)
	}
	if todo.fail != nil {
		s.stop()
		return false
	}
	if todo.close {
		_ = s.conns[rank].Close()
		return false
	}
	return true
}

// write sends a reply. A client that cannot take it has gone, which its reader
// notices, or does not read, which is made an end of it.
func (s *Server) write(r reply) {
	conn := s.conns[r.rank]
	if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return
	}
	if _, err := conn.Write(r.line); err != nil {
		_ = conn.Close()
	}
}

// stop ends the readers. What they notice of it is ignored.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for _, timer := range s.timers {
		timer.Stop()
	}
	for _, conn := range s.conns {
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // an error means that it is closed
	}
}
