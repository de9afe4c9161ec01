package loop

import "sync"

// Run answers the other ranks until all of them are out of the loop.
func (s *Server) Run() {
	defer close(s.served)
	var watching sync.WaitGroup
	watching.Go(s.watch)
	defer watching.Wait()
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

// done says whether the other ranks have nothing left to say or to be told.
// The caller holds mu.
func (s *Server) done() bool { return !s.m.anyOther() && s.sending == 0 }
