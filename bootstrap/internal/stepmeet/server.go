package stepmeet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// dialogueTime is the time for a whole rendezvous, a slow munged included.
	dialogueTime = 15 * time.Second
	// maxPending bounds the connections that have not said yet what they
	// are, or are in the dialogue. More are closed; ranks try again.
	maxPending = 1024
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
	text   []byte // what ranks get that have proved themselves

	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	passed    chan arrival
	serving   sync.WaitGroup
	closing   sync.Once
	closeErr  error
	mu        sync.Mutex
	complete  bool
	pending   map[net.Conn]bool
	instances map[uint32][instanceSize]byte // the process that got the grant, by rank
}

func newServer(listener net.Listener, member *Member) *Server {
	s := &Server{
		Listener: listener, member: member,
		passed: make(chan arrival), pending: make(map[net.Conn]bool),
		instances: make(map[uint32][instanceSize]byte),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
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
		case err != nil: // such as too many open files: whoever accepts decides
			s.pass(arrival{err: err})
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
	if s.ctx.Err() != nil || len(s.pending) >= maxPending {
		return false
	}
	s.pending[conn] = true
	return true
}

func (s *Server) leave(conn net.Conn) {
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

// greet is rank 0's side of the rendezvous with one rank. Nobody is told of
// its errors: strangers cause them at will, and a rank reports its own.
func (s *Server) greet(conn net.Conn) {
	var raw [helloSize]byte
	if _, err := io.ReadFull(conn, raw[:]); err != nil {
		return
	}
	hello, err := parseHello(raw)
	if err != nil {
		return
	}
	answer := s.answer(&hello)
	if _, err := conn.Write(answer.appendTo(nil)); err != nil || answer.verdict != verdictGoOn {
		return
	}
	transcript := transcriptOf(&hello, &answer)
	proof, err := readBytes(conn, maxBytes)
	if err != nil {
		return
	}
	verdict, last := verdictGoOn, []byte(nil)
	if err = s.member.prover.check(s.ctx, answer.proof, transcript[:], proof); err == nil && s.taken(&hello, true) {
		return // another process of the rank was faster
	}
	if err == nil {
		last, err = s.member.prover.seal(s.ctx, answer.proof, transcript[:], s.text)
	}
	if err != nil {
		verdict, last = verdictRefused, []byte(printable(err.Error()))
	}
	conn.Write(appendBytes([]byte{byte(verdict)}, last))
}

// answer decides on a hello.
func (s *Server) answer(hello *rankHello) rootAnswer {
	refuse := func(verdict verdict, format string, args ...any) rootAnswer {
		return rootAnswer{verdict: verdict, text: printable(fmt.Sprintf(format, args...))}
	}
	step := s.member.step
	switch {
	case hello.version != version:
		return refuse(verdictOtherBuild, "rank 0 on %s speaks version %d of the rendezvous, this rank version %d: start the same build of the program everywhere", s.member.node, version, hello.version)
	case hello.digest != stepDigest(step.Name()) || int(hello.size) != step.Size || hello.rank == 0 || hello.rank >= hello.size:
		return refuse(verdictOtherStep, "another step: %s of %d ranks", step.Name(), step.Size)
	case s.isComplete():
		return refuse(verdictOtherProgram, "rank 0 on %s is of another program of this task: its job is complete", s.member.node)
	case s.taken(hello, false):
		return refuse(verdictTaken, "rank 0 on %s has a rank %d already: was the program started twice in this step?", s.member.node, hello.rank)
	}
	proof, reason := s.member.prover.common(hello)
	if proof == 0 {
		return refuse(verdictNoProof, "%s", reason)
	}
	answer := rootAnswer{verdict: verdictGoOn, proof: proof, text: printable(s.member.node)}
	rand.Read(answer.nonce[:])
	return answer
}

func (s *Server) isComplete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.complete
}

// taken says whether another process has the rank of the hello; if none has,
// and the hello is proved, this one has it from now on.
func (s *Server) taken(hello *rankHello, proved bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	instance, known := s.instances[hello.rank]
	if !known && proved {
		s.instances[hello.rank] = hello.instance
	}
	return known && instance != hello.instance
}
