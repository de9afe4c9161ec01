package ame

import (
	"net"
	"sync/atomic"
)

// signs takes the bytes of a connection and notes that there were some. It costs
// no look at a clock.
type signs struct {
	net.Conn
	heard   atomic.Bool // something has come
	reading atomic.Bool // somebody waits for it
}

func (s *signs) Read(b []byte) (int, error) {
	s.reading.Store(true)
	n, err := s.Conn.Read(b)
	s.reading.Store(false)
	if n > 0 {
		s.heard.Store(true)
	}
	return n, err
}

// sign says whether something has come since it was last called, or may have
// while nobody was reading.
func (s *signs) sign() bool { return s.heard.Swap(false) || !s.reading.Load() }
