package stepmeet

import (
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
)

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
	if answer.verdict == verdictNoProof && hello.offer == 0 {
		s.gaveUp(conn, &hello)
	}
	s.note(&hello, answer.verdict, answer.text)
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
		s.note(&hello, verdict, string(last))
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
		return refuse(verdictTaken, "rank 0 on %s has a rank %d already: was the program started twice in this step? Each on its own comes up with AME_BOOTSTRAP=single", s.member.node, hello.rank)
	}
	proof, reason := s.member.prover.common(hello)
	if proof == 0 {
		if hello.offer == 0 {
			reason = "it can prove nothing, its own output says why; " + reason
		}
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

// maxRefused bounds the reasons that are kept: strangers can make some up.
const maxRefused = 8

// note remembers why what says to be a rank of our step was sent away. It may
// have given up by then, and its own output is not where rank 0's is.
func (s *Server) note(hello *rankHello, verdict verdict, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch verdict {
	case verdictGoOn, verdictOtherStep, verdictOtherProgram:
	default:
		if len(s.refused) < maxRefused {
			s.refused[fmt.Sprintf("rank %d: %s", hello.rank, text)] = true
		}
	}
}

// Refused says why ranks were sent away, in words for the user, "" if none was.
// It is what connections claim, and proves nothing.
func (s *Server) Refused() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(s.refused)), "; ")
}
