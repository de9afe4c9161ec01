package loop

import (
	"context"
	"slices"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// change makes a change to what the Server knows, and then answers the ranks
// that it lets go on: with windows, or with the end of the loop. The change is
// made under mu, the answers are written without it.
func (s *Server) change(f func()) {
	s.mu.Lock()
	f()
	ranks := s.due()
	s.sending += len(ranks)
	if s.Travels {
		s.inputs.wake()
	}
	if s.done() {
		s.finish()
	}
	s.mu.Unlock()
	for _, rank := range ranks {
		if s.isBulky(rank) {
			go s.write(rank) // the others need not wait
		} else {
			s.write(rank)
		}
	}
}

// due takes the ranks out of waiting that can be given items, or sent home. It
// returns those of them whose answers nobody writes yet. The caller holds mu.
func (s *Server) due() []int {
	if s.results.full() && !s.m.stopped {
		return nil // Take asks again
	}
	s.expect()
	var ranks []int
	answer := func(rank int, w window) {
		o := &s.outgoing[rank]
		o.windows = append(o.windows, w)
		if !o.writing {
			o.writing = true
			ranks = append(ranks, rank)
		}
	}
	for _, rank := range s.halt.cuts {
		answer(rank, window{cut: true})
	}
	s.halt.cuts = nil
	s.waiting = slices.DeleteFunc(s.waiting, func(rank int) bool {
		for s.asks[rank] > 0 {
			w, ok := s.window(rank)
			if !ok {
				return false
			}
			answer(rank, w)
		}
		return true
	})
	s.haltIfLate()
	if !s.m.over() {
		return ranks
	}
	s.conclude()
	s.results.wake()
	end := window{over: true}
	if err := s.failures.err(); err != nil && len(s.waiting) > 0 {
		end.why = s.Errors.Encode(err)
	}
	for _, rank := range s.waiting {
		s.m.leave(rank, home)
		answer(rank, end)
	}
	s.waiting = nil
	return ranks
}

// window takes the next window for a rank that waits. The caller holds mu.
func (s *Server) window(rank int) (window, bool) {
	next := s.m.next
	items, ok := s.m.assign(rank, s.asks[rank])
	if !ok {
		return window{}, false
	}
	slots := min(s.asks[rank], items.n)
	s.asks[rank] -= slots
	w := window{span: items, more: slots - 1, tries: s.m.tries[items.first]}
	s.fill(&w, items.first >= next)
	return w, true
}

// outgoing are the answers to one rank that are not written yet. They are
// written one after the other.
type outgoing struct {
	windows []window
	writing bool // somebody is at it

	messages int           // that were written, for a timeline
	sent     time.Duration // when the last one was
}

// isBulky says whether the answers to a rank take long to write.
func (s *Server) isBulky(rank int) bool {
	if !s.Travels {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes := 0
	for _, w := range s.outgoing[rank].windows {
		for i := range w.inputs {
			bytes += w.inputs[i].bytes()
		}
	}
	return bytes >= largeValue
}

// write writes the answers to a rank until there are no more.
func (s *Server) write(rank int) {
	for {
		s.mu.Lock()
		o := &s.outgoing[rank]
		if len(o.windows) == 0 {
			o.writing = false
			s.sending--
			if s.done() {
				s.finish()
			}
			s.mu.Unlock()
			return
		}
		w := o.windows[0]
		o.windows = slices.Delete(o.windows, 0, 1)
		if !w.cut {
			o.stamp(s.Timeline)
		}
		s.mu.Unlock()
		if err := s.send(rank, w); err != nil {
			s.unanswered(&PeerError{rank, err})
		}
	}
}

func (s *Server) send(rank int, w window) error {
	if rank == 0 {
		s.local <- w
		return nil
	}
	ctx := context.Background()
	if w.cut {
		return s.link.Send(ctx, rank, tagCut, value.Payload{})
	}
	if err := s.link.Send(ctx, rank, tagWindow, value.Payload{Body: appendWindow(nil, w)}); err != nil {
		return err
	}
	for i := range w.inputs {
		if !w.inputs[i].Large() {
			continue
		}
		if err := s.link.Send(ctx, rank, tagInput, w.inputs[i].Payload); err != nil {
			return err
		}
	}
	return nil
}
