package loop

import "context"

// How far what Room lets in may be ahead of what is handed out, unless it is a
// single item: for each slot of the job so many items that windows of quick ones
// pay, and so many bytes in all.
const (
	aheadItems = 1024
	aheadBytes = 64 << 20
)

// Add gives a loop whose items travel another one. It returns the item's index,
// or ok == false if the loop is over and nobody will work on it.
func (s *Server) Add(in Input) (index int, ok bool) {
	s.change(func() {
		if ok = !s.m.stopped && s.m.total == Unknown && s.m.taking > 0; !ok {
			return
		}
		index = s.m.ready
		s.m.ready++
		s.inputs.items[index] = &in
		s.inputs.ahead += in.bytes()
	})
	return index, ok
}

// Room waits until another item should be added. It returns false if none is
// needed any more, because the loop is over or ctx has ended.
func (s *Server) Room(ctx context.Context) bool {
	for {
		s.mu.Lock()
		over := s.m.stopped || s.m.taking == 0
		room := s.m.ready-s.m.next < aheadItems*max(1, s.m.slots) && s.inputs.ahead < aheadBytes && !s.results.full()
		s.mu.Unlock()
		if over || ctx.Err() != nil {
			return false
		}
		if room {
			return true
		}
		select {
		case <-s.inputs.room:
		case <-ctx.Done():
		}
	}
}

// NoMore says that all items have been added.
func (s *Server) NoMore() {
	s.change(func() {
		if s.m.total == Unknown {
			s.m.total = s.m.ready
		}
	})
}

// Withdraw puts another item in the place of one that was never handed out. It
// returns false if it was.
func (s *Server) Withdraw(index int, in Input) (ok bool) {
	s.change(func() {
		old := s.inputs.items[index]
		if ok = old != nil && index >= s.m.next; ok {
			s.inputs.ahead += in.bytes() - old.bytes()
			s.inputs.items[index] = &in
		}
	})
	return ok
}

// fill puts the items into a window that is about to be handed out. The caller
// holds mu.
func (s *Server) fill(w *window, fresh bool) {
	if !s.Travels {
		return
	}
	w.inputs = s.inputs.of(w.span)
	if fresh {
		for i := range w.inputs {
			s.inputs.ahead -= w.inputs[i].bytes()
		}
	}
}
