package ame

import "sync"

// unfinished are the bodies that are on their way to this rank in chunks, one of
// each source. The links of a job have them in common: the rest of a body may
// come by another one. The zero value is ready for use.
type unfinished struct {
	mu     sync.Mutex
	bodies map[uint32]*body // by source
}

// of returns that of a source, nil if there is none. It is for who reads from
// where its chunks come.
func (u *unfinished) of(source uint32) *body {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.bodies[source]
}

func (u *unfinished) add(b *body) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bodies == nil {
		u.bodies = map[uint32]*body{}
	}
	u.bodies[b.source] = b
}

// remove forgets that of a source, of which nothing more comes.
func (u *unfinished) remove(source uint32) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.bodies, source)
}
