package bootstrap

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
	// slurmDialogue is the time for a whole rendezvous, a slow munged included.
	slurmDialogue = 15 * time.Second
	// maxSlurmPending bounds the connections that have not said yet what they
	// are, or are in the dialogue. More are closed; ranks try again.
	maxSlurmPending = 1024
)

// slurmServer is rank 0's listener. It answers the ranks that look for rank 0,
// and gives all other connections to whoever accepts: nothing of theirs has
// been read then.
type slurmServer struct {
	net.Listener
	member     *slurmMember
	invitation []byte // what ranks get that have proved themselves

	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	passed    chan accepted
	serving   sync.WaitGroup
	closing   sync.Once
	closeErr  error
	mu        sync.Mutex
	pending   map[net.Conn]bool
	instances map[uint32][slurmInstanceSize]byte // the process that got the grant, by rank
}

func newSlurmServer(listener net.Listener, member *slurmMember, invitation []byte) *slurmServer {
	s := &slurmServer{
		Listener: listener, member: member, invitation: invitation,
		passed: make(chan accepted), pending: make(map[net.Conn]bool),
		instances: make(map[uint32][slurmInstanceSize]byte),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.serving.Go(s.run)
	return s
}

// Accept returns the next connection that is not of the rendezvous.
func (s *slurmServer) Accept() (net.Conn, error) {
	select {
	case a := <-s.passed:
		return a.conn, a.err
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close ends the listener and the rendezvous. Connections that Accept returned
// stay open.
func (s *slurmServer) Close() error {
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

func (s *slurmServer) run() {
	for {
		conn, err := s.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // such as too many open files: whoever accepts decides
			s.pass(accepted{err: err})
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
func (s *slurmServer) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || len(s.pending) >= maxSlurmPending {
		return false
	}
	s.pending[conn] = true
	return true
}

func (s *slurmServer) leave(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, conn)
}

func (s *slurmServer) pass(a accepted) {
	select {
	case s.passed <- a:
	case <-s.ctx.Done():
		if a.conn != nil {
			a.conn.Close()
		}
	}
}

// handle looks at the first bytes of a connection, without taking them.
func (s *slurmServer) handle(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(slurmDialogue))
	ours, err := startsWith(conn, slurmMagic)
	if err == nil && !ours {
		s.leave(conn)
		conn.SetDeadline(time.Time{})
		s.pass(accepted{conn: conn})
		return
	}
	if err == nil {
		s.converse(conn)
	}
	conn.Close()
	s.leave(conn)
}

// converse is rank 0's side of the rendezvous with one rank. Nobody is told of
// its errors: strangers cause them at will, and a rank reports its own.
func (s *slurmServer) converse(conn net.Conn) {
	var raw [slurmHelloSize]byte
	if _, err := io.ReadFull(conn, raw[:]); err != nil {
		return
	}
	hello, err := parseSlurmHello(raw)
	if err != nil {
		return
	}
	answer := s.answer(&hello)
	if _, err := conn.Write(answer.appendTo(nil)); err != nil || answer.verdict != slurmGoOn {
		return
	}
	transcript := slurmTranscript(&hello, &answer)
	proof, err := readSlurmBytes(conn, maxSlurmBytes)
	if err != nil {
		return
	}
	verdict, last := slurmGoOn, []byte(nil)
	if err = s.member.proofs.check(s.ctx, answer.proof, transcript[:], proof); err == nil && s.taken(&hello, true) {
		return // another process of the rank was faster
	}
	if err == nil {
		last, err = s.member.proofs.seal(s.ctx, answer.proof, transcript[:], s.invitation)
	}
	if err != nil {
		verdict, last = slurmRefused, []byte(slurmText(err.Error()))
	}
	conn.Write(appendSlurmBytes([]byte{byte(verdict)}, last))
}

// answer decides on a hello.
func (s *slurmServer) answer(hello *slurmHello) slurmAnswer {
	refuse := func(verdict slurmVerdict, format string, args ...any) slurmAnswer {
		return slurmAnswer{verdict: verdict, text: slurmText(fmt.Sprintf(format, args...))}
	}
	step := s.member.step
	switch {
	case hello.version != slurmVersion:
		return refuse(slurmOtherBuild, "rank 0 on %s speaks version %d of the rendezvous, this rank version %d: start the same build of the program everywhere", s.member.node, slurmVersion, hello.version)
	case hello.digest != slurmDigest(step.Name()) || int(hello.size) != step.Size || hello.rank == 0 || hello.rank >= hello.size:
		return refuse(slurmOtherStep, "another step: %s of %d ranks", step.Name(), step.Size)
	case s.taken(hello, false):
		return refuse(slurmTaken, "rank 0 on %s has a rank %d already: was the program started twice in this step?", s.member.node, hello.rank)
	}
	proof, reason := s.member.proofs.common(hello)
	if proof == 0 {
		return refuse(slurmNoProof, "%s", reason)
	}
	answer := slurmAnswer{verdict: slurmGoOn, proof: proof, text: slurmText(s.member.node)}
	rand.Read(answer.nonce[:])
	return answer
}

// taken says whether another process has the rank of the hello; if none has,
// and the hello is proved, this one has it from now on.
func (s *slurmServer) taken(hello *slurmHello, proved bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	instance, known := s.instances[hello.rank]
	if !known && proved {
		s.instances[hello.rank] = hello.instance
	}
	return known && instance != hello.instance
}
