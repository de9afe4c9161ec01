package loop

import (
	"context"
	"slices"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// answer is a window for a rank.
type answer struct {
	rank int
	window
}

// change makes a change to what the Server knows, and then answers the ranks
// that it lets go on: with windows, or with the end of the loop. The change is
// made under mu, the answers are written without it.
func (s *Server) change(f func()) {
	s.mu.Lock()
	f()
	answers := s.due()
	s.sending++
	s.mu.Unlock()
	var failed []*PeerError
	for _, a := range answers {
		if err := s.send(a); err != nil {
			failed = append(failed, &PeerError{a.rank, err})
		}
	}
	s.mu.Lock()
	s.sending--
	if s.done() {
		s.finish()
	}
	s.mu.Unlock()
	for _, p := range failed {
		s.unanswered(p)
	}
}

// due takes the ranks out of waiting that can be given items, or sent home.
// The caller holds mu.
func (s *Server) due() []answer {
	if s.results.full() && !s.m.stopped {
		return nil // Take asks again
	}
	due := s.halt.cuts
	s.halt.cuts = nil
	s.expect()
	s.waiting = slices.DeleteFunc(s.waiting, func(rank int) bool {
		w, ok := s.m.assign(rank)
		if ok {
			due = append(due, answer{rank, window{span: w}})
		}
		return ok
	})
	s.haltIfLate()
	if !s.m.over() {
		return due
	}
	s.conclude()
	s.results.wake()
	end := window{over: true}
	if err := s.failures.err(); err != nil && len(s.waiting) > 0 {
		end.why = s.Errors.Encode(err)
	}
	for _, rank := range s.waiting {
		s.m.leave(rank, home)
		due = append(due, answer{rank, end})
	}
	s.waiting = nil
	return due
}

func (s *Server) send(a answer) error {
	if a.rank == 0 {
		s.local <- a.window
		return nil
	}
	if a.cut {
		return s.link.Send(context.Background(), a.rank, tagCut, value.Payload{})
	}
	return s.link.Send(context.Background(), a.rank, tagWindow, value.Payload{Body: appendWindow(nil, a.window)})
}
