package loop

import "sync"

// Run answers the other ranks until all of them are out of the loop. A rank that
// is alone answers itself, and Run ends with its part.
func (s *Server) Run() {
	defer close(s.served)
	var watching sync.WaitGroup
	watching.Go(s.heedHalting)
	defer watching.Wait()
	if s.Size == 1 {
		return
	}
	watching.Go(s.watch)
	for {
		m, err := s.link.Recv(s.serving, AnyRank)
		if err == nil {
			err = s.message(m)
		} else {
			s.lose(s.link.Lost(s.serving, atOnce)) // with the last one, there is nothing to receive
		}
		if !s.awaits() {
			<-s.serving.Done() // the last answers may still be on their way
			return
		}
		if err != nil {
			s.disconnected(err)
		}
	}
}

// awaits says whether another rank is in the loop.
func (s *Server) awaits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.anyOther()
}

// done says whether the other ranks have nothing left to say or to be told, or a
// rank that is alone has not. The caller holds mu.
func (s *Server) done() bool {
	anyone := s.m.anyOther() || s.Size == 1 && s.m.taking > 0
	return !anyone && s.sending == 0
}
