package dlp

import (
	"sync"
)

// services are those of all Comms of one rank that are not closed.
type services struct {
	mu   sync.Mutex
	open map[*service]struct{}
}

func (l *services) add(s *service) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[*service]struct{}{}
	}
	l.open[s] = struct{}{}
}

func (l *services) remove(s *service) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, s)
}

// close closes all, so that nobody waits for what this rank holds.
func (l *services) close() {
	l.mu.Lock()
	open := l.open
	l.open = nil
	l.mu.Unlock()
	for s := range open {
		_ = s.close() // what keeps this from being told is said by the Close of the job
	}
}
