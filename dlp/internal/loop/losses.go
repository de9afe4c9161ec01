package loop

import (
	"errors"
	"fmt"
	"slices"
)

// atOnce makes Link.Lost return without waiting.
const atOnce = -1

// watch takes in which ranks are lost, as long as the loop is served.
func (s *Server) watch() {
	for known := 0; s.serving.Err() == nil; {
		lost := s.link.Lost(s.serving, known)
		known = len(lost)
		s.lose(lost)
	}
}

// lose takes in that ranks are lost.
func (s *Server) lose(lost []*PeerError) {
	if len(lost) > 0 {
		s.change(func() {
			for _, p := range lost {
				s.loseRank(p)
			}
		})
	}
}

// unanswered takes in that an answer has not reached its rank: that is lost, or
// the loop cannot go on.
func (s *Server) unanswered(p *PeerError) {
	lost := s.link.Lost(s.serving, atOnce)
	s.lose(lost)
	if !slices.ContainsFunc(lost, func(l *PeerError) bool { return l.Rank == p.Rank }) {
		s.disconnected(p.Err)
	}
}

// loseRank does what the loop's policy says about a lost rank. One that was sent
// home is of no matter, nor is one that is out, unless what it has finished is
// gone with it. The caller holds mu.
func (s *Server) loseRank(p *PeerError) {
	switch s.m.ranks[p.Rank].state {
	case home, lost:
		return
	case out:
		if !s.Redo {
			return
		}
	}
	leaves := fmt.Errorf("%w; it leaves %s", p, s.m.unfinished(p.Rank))
	held, done := s.m.bury(p.Rank)
	s.recordLoss(p, held)
	s.forget(p.Rank)
	switch {
	case s.m.stopped && s.halt.why == "":
		s.failures.add(leaves)
	case s.OnLoss == FailLoop:
		s.fail(leaves)
	case s.OnLoss == Skip:
		s.inputs.drop(held...)
		if gone := merged(append(held, done...)); len(gone) > 0 {
			s.losses = append(s.losses, fmt.Errorf("%w; left out: %s", p, itemList(gone)))
		}
	default:
		s.losses = append(s.losses, p)
		for _, index := range s.m.reopen(p.Rank, held, done) {
			s.inputs.drop(span{index, 1})
			s.deliver(Item{Index: index, Rank: p.Rank, Status: Failed, Err: s.poison(index, p)})
		}
	}
}

// poison is the error of an item that two ranks were lost with.
func (s *Server) poison(index int, p *PeerError) error {
	return fmt.Errorf("rank %d was lost while it held this item, and now this one, so it is not tried again: %w", s.m.blamed[index], p)
}

// conclude says, when nothing is worked on any more, what has become of items
// that nobody has done, and of ranks that are lost. Without a loss there are such
// items in a sequence alone: what a rank gave back when it broke out of its loop
// may lie behind all others. The caller holds mu.
func (s *Server) conclude() {
	if s.m.stopped && s.halt.why == "" || s.failures.any() {
		return
	}
	losses, rest := errors.Join(s.losses...), s.m.rest()
	switch {
	case s.halt.why != "" && rest != "":
		s.fail(s.interrupted(losses, rest))
	case losses == nil && rest != "" && len(s.waiting) > 0:
		s.fail(fmt.Errorf("%s were left by a rank that broke out of the loop, and no other rank can go back to them in its sequence", rest))
	case losses == nil:
	case rest != "":
		s.fail(fmt.Errorf("%w; no rank is left that could do %s", losses, rest))
	case s.OnLoss == Skip:
		s.failures.add(losses)
	case s.Redo:
		s.failures.add(fmt.Errorf("%w; all items are done, also those that were lost with it", losses))
	}
	s.losses = nil
}

// disconnected ends the loop because the others cannot be reached any more, or
// one of them does not make sense.
func (s *Server) disconnected(err error) {
	s.change(func() {
		if s.broken {
			return
		}
		s.broken = true
		if peer := (*PeerError)(nil); errors.As(err, &peer) && peer.Rank > 0 && peer.Rank < s.Size {
			err = fmt.Errorf("%w; it leaves %s", err, s.m.unfinished(peer.Rank))
		}
		s.fail(err)
		for rank := 1; rank < s.Size; rank++ {
			s.leave(rank, lost)
		}
	})
	s.link.Abort(err) // for those who do not know yet
}
