package loop

import "context"

// Take returns results that have come since the last call, a batch of them, which
// is the caller's until the next call. It waits for one. over says that there will
// be no more, err why the loop has failed.
func (s *Server) Take(ctx context.Context) (results []Item, over bool, err error) {
	for {
		results, over, err = s.poll()
		if len(results) > 0 {
			return results, false, nil
		}
		if over {
			return nil, true, err
		}
		select {
		case <-s.results.ready:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// poll is Take without waiting.
func (s *Server) poll() (results []Item, over bool, err error) {
	s.change(func() { // ranks may wait until there is room for their results
		results = s.results.take()
		over = len(results) == 0 && (s.m.over() || s.broken)
		err = s.failures.err()
	})
	return results, over, err
}

// Supervise waits until the loop is over, for a rank 0 that does not work. It
// returns why the loop has failed, nil if it has not.
func (s *Server) Supervise(ctx context.Context) error {
	select {
	case <-s.served:
		return s.err()
	case <-ctx.Done():
		err := context.Cause(ctx)
		s.Leave(s.Errors.OfRank(0, err))
		return err
	}
}

// Leave hands out nothing more and drops all results: rank 0 has left the
// loop, and what fails from now on is no matter of the loop. With an error,
// the other ranks get it.
func (s *Server) Leave(err error) {
	s.change(func() {
		if err != nil {
			s.fail(err)
		}
		s.m.stopped = true
		s.failures.close()
		s.results.close()
	})
}

// Reject ends the loop with an error of rank 0's loop body, which cannot use a
// result.
func (s *Server) Reject(err error) { s.change(func() { s.fail(err) }) }

// err returns why the loop has failed, nil if it has not.
func (s *Server) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures.err()
}

// Failed says whether the loop has ended early, by an error or a panic.
func (s *Server) Failed() bool { return s.err() != nil }

// Left names the other ranks that still work on items, and those: "ranks 1-2,
// unfinished items 4,7-9".
func (s *Server) Left() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ranks []int
	var items []span
	for rank := 1; rank < s.Size; rank++ {
		if held := s.m.ranks[rank].held; len(held) > 0 {
			ranks = append(ranks, rank)
			items = append(items, held...)
		}
	}
	return RankList(ranks) + ", unfinished " + itemList(merged(items))
}

// State is what a progress display shows.
func (s *Server) State() (done, total, busy int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.finished, s.m.total, s.m.busy()
}
