package simnet

import (
	"io"
	"sync"
	"time"
)

// pipe is one direction of a connection.
type pipe struct {
	filled, space chan struct{} // have a value when that has changed

	mu     sync.Mutex
	chunks []chunk
	held   int       // bytes in them
	last   time.Time // arrival of the last one
	over   bool      // no more comes
	gone   bool      // nobody reads
}

type chunk struct {
	bytes []byte
	at    time.Time // of its arrival
}

func newPipe() *pipe { return &pipe{filled: make(chan struct{}, 1), space: make(chan struct{}, 1)} }

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// room says whether so many bytes fit in.
func (p *pipe) room(bytes int) (bool, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held == 0 || p.held+bytes <= Buffer || p.over || p.gone, time.Time{}
}

// put adds bytes, unless the pipe has ended.
func (p *pipe) put(b []byte, at time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.gone {
		return false
	}
	if at.Before(p.last) {
		at = p.last
	}
	p.last = at
	p.chunks = append(p.chunks, chunk{append([]byte(nil), b...), at})
	p.held += len(b)
	tell(p.filled)
	return true
}

// first says whether there is something to read now, or when there will be.
func (p *pipe) first() (bool, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.chunks) > 0 {
		at := p.chunks[0].at
		return !at.After(time.Now()), at
	}
	if !p.over {
		return false, time.Time{}
	}
	return !p.last.After(time.Now()), p.last
}

// take reads what has come.
func (p *pipe) take(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for n < len(b) && len(p.chunks) > 0 && !p.chunks[0].at.After(now) {
		moved := copy(b[n:], p.chunks[0].bytes)
		n += moved
		p.chunks[0].bytes = p.chunks[0].bytes[moved:]
		if len(p.chunks[0].bytes) == 0 {
			p.chunks[0] = chunk{}
			p.chunks = p.chunks[1:]
		}
	}
	p.held -= n
	tell(p.space)
	if len(p.chunks) > 0 || p.over {
		tell(p.filled)
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// end ends the pipe: from the side that writes with a time of arrival, else from
// the side that reads.
func (p *pipe) end(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.IsZero() {
		p.gone, p.chunks, p.held = true, nil, 0
	} else {
		p.over = true
		if p.last.Before(at) {
			p.last = at
		}
	}
	tell(p.filled)
	tell(p.space)
}
