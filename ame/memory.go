package ame

import (
	"log/slog"
	"sync"
)

// memory is what the ranks of a job have in common because they all run on one
// node, if they do.
type memory struct {
	users sync.WaitGroup

	mu      sync.Mutex
	segment *segment // nil: nothing
	closed  bool
}

// hold keeps the memory until letGo. It returns false after close.
func (m *memory) hold() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.users.Add(1)
	return true
}

func (m *memory) letGo() { m.users.Done() }

// share makes, on rank 0, the segment of a job whose ranks all run on this
// node: each in a process of its own, or all in this one. It returns the record
// behind the directory by which the others find it, nil if there is none.
func (m *memory) share(peers []Peer, log *slog.Logger) []byte {
	processes := map[int]bool{}
	oneNode := true
	for _, p := range peers {
		processes[p.PID] = true
		oneNode = oneNode && sameNode(p, peers[0])
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case len(processes) == 1 && oneNode:
		m.segment = newOwnSegment(len(peers))
	case len(processes) == len(peers) && oneNode:
		s, err := newSegment(len(peers))
		if err != nil {
			log.Debug("no shared memory", "rank", 0, "error", err)
			return nil
		}
		m.segment = s
	default:
		return nil
	}
	return m.segment.offer.appendTo(nil)
}

// join opens, on another rank, the segment that rank 0 offers in the records
// behind the directory. Where that fails, all ranks meet by messages.
func (m *memory) join(records []byte, root Peer, size int, log *slog.Logger) {
	o, ok := parseOffer(records)
	if !ok {
		return
	}
	var s *segment
	if o.descriptor == inMemory {
		if own, ok := ownSegments.Load(o.token); ok {
			s = own.(*segment)
		}
	} else {
		var err error
		if s, err = openSegment(root.PID, o, size); err != nil {
			log.Debug("no shared memory", "error", err)
		}
	}
	if s == nil {
		return
	}
	s.open()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.segment = s
}

// close gives this rank's access back, after those who use it.
func (m *memory) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.users.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.segment != nil {
		m.segment.release()
		m.segment = nil
	}
}
