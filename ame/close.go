package ame

import (
	"context"
	"sync"
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
		clear(j.boxes)
	}
	idle := j.remaining == 0
	j.mu.Unlock()
	j.spreading.Wait() // a failure is to arrive before the bye
	if first && !idle {
		j.sayBye(j.links)
	}
	j.readers.Wait()
	j.watching.Wait()
	j.leaveSegment()
}

func (j *job) sayBye(links []*link) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var byes sync.WaitGroup
	for dest, l := range links {
		if l == nil {
			continue
		}
		byes.Go(func() {
			h := header{kind: kindBye, source: uint32(j.rank), dest: uint32(dest)}
			if l.write(ctx, &h, nil) != nil {
				l.conn.Close() // an unfinished frame is on it
			} else if half, ok := l.conn.(interface{ CloseWrite() error }); ok {
				half.CloseWrite()
			}
		})
	}
	select {
	case <-j.drained:
	case <-ctx.Done():
	}
	closeLinks(links)
	byes.Wait()
}

func closeLinks(links []*link) {
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
	j.mu.Unlock()
	closeLinks(j.links)
	j.readers.Wait()
	j.leaveSegment()
}
