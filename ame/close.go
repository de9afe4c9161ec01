package ame

import (
	"context"
	"time"
)

// closeTimeout bounds how long Close waits for the other ends to take what
// is still on its way to them.
const closeTimeout = 5 * time.Second

// close says bye on every link and waits until the other ends have read all
// that was sent, because a connection closed earlier could lose it.
func (j *job) close() {
	j.mu.Lock()
	first := !j.closed
	j.closed = true
	if first {
		for _, b := range j.boxes {
			b.refuse(
				func(*receiver) bool { return true },
				func(r *receiver) error { return j.errorf(opOf(r.kind), -1, ErrClosed) })
		}
	}
	links := append([]*link(nil), j.links...)
	idle := j.remaining == 0
	j.mu.Unlock()
	j.spreading.Wait() // a failure is to arrive before the bye
	if first && !idle {
		j.sayBye(links)
	}
	j.readers.Wait()
}

func (j *job) sayBye(links []*link) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	for dest, l := range links {
		if l == nil {
			continue
		}
		j.readers.Add(1)
		go func() {
			defer j.readers.Done()
			h := header{kind: kindBye, source: uint32(j.rank), dest: uint32(dest)}
			if l.write(ctx, &h, nil) == nil {
				if half, ok := l.conn.(interface{ CloseWrite() error }); ok {
					half.CloseWrite()
				}
			}
		}()
	}
	select {
	case <-j.drained:
	case <-ctx.Done():
	}
	for _, l := range links {
		if l != nil {
			l.conn.Close()
		}
	}
}

// abandon closes the links of a job that did not come up, after those who
// had joined have been told why.
func (j *job) abandon() {
	j.spreading.Wait()
	j.mu.Lock()
	j.closed = true
	links := append([]*link(nil), j.links...)
	j.mu.Unlock()
	for _, l := range links {
		if l != nil {
			l.conn.Close()
		}
	}
	j.readers.Wait()
}
