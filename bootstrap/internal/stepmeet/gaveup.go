package stepmeet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

// A rank that can prove nothing cannot join, so without it the job will never
// come up. It tells rank 0 why, and ends. But whoever can reach rank 0's port
// could say the same, and the name of a step is no secret: if rank 0 believed
// it, any user of the cluster could end jobs as they start. So it is
// believed where the kernel vouches for it: from a process of our own user on
// this node, which could end rank 0 by a signal, too. From elsewhere it is told
// to the user, who sees what is wrong and may end the job, and rank 0 waits. That
// all missing ranks have said so changes nothing: one stranger can be all of them.

// gaveUp takes note of a rank that gives up, and was not here before.
func (s *Server) gaveUp(conn net.Conn, hello *rankHello) {
	reason, err := readBytes(conn, maxReason)
	if err != nil || len(reason) == 0 {
		return
	}
	text := printable(string(reason))
	if owner, ok := s.owner(conn); ok && owner == os.Geteuid() {
		s.doom(errors.New("a rank has given up: " + text))
		return
	}
	from, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	if s.isNews(fmt.Sprintf("rank %d: %s", hello.rank, text)) {
		s.tell(fmt.Sprintf("a rank has given up: %s (so says %s, which cannot prove it; if that is so, the other ranks wait in vain)", text, from))
	}
}

// Doomed ends when it is sure that a rank will never come; context.Cause says
// which, and why.
func (s *Server) Doomed() context.Context { return s.doomed }

// isNews says whether the user is to hear of a refusal: not twice, and not of
// what strangers can make up without end.
func (s *Server) isNews(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := !s.told[text] && len(s.told) < maxRefused
	if news {
		s.told[text] = true
	}
	return news
}
