package ame

import (
	"context"
	"sync"
)

// laneBound is how many bytes from one rank to another one wait in rank 0 before
// it reads nothing more from the first.
const laneBound = 32 << 20

// frameCost is about what a frame takes besides its body, in bytes, so that
// short messages count, too.
const frameCost = 128

// lanes are the frames that rank 0 sends on from one rank to another. Those to
// one rank leave in the order in which they came, by a goroutine of their own.
// So while a rank takes nothing, the others' links are read on: what they say to
// rank 0 and to each other, and how they end.
type lanes struct {
	write func(f *frame)  // sends one on, or finds that it cannot
	spawn func(fn func()) // starts a goroutine

	mu sync.Mutex
	to map[int]*lane // by destination: those that have something
}

// lane is what waits for one rank.
type lane struct {
	frames []*frame      // the first one is being written
	bytes  map[int]int   // that they take, by the rank that they have come from
	moved  chan struct{} // closed when the first one is gone, and made anew
}

// frame is a header with what follows it, or stands for one that rank 0 writes
// itself when the turn is its.
type frame struct {
	header
	body []byte
	turn chan struct{} // closed then; nil in a frame
}

// add sends f on to its destination. It waits while there is too much from the
// rank that it has come from.
func (ls *lanes) add(f *frame) {
	source, dest := int(f.source), int(f.dest)
	for {
		ls.mu.Lock()
		l := ls.to[dest]
		if l == nil || l.bytes[source] < laneBound {
			break
		}
		moved := l.moved
		ls.mu.Unlock()
		<-moved
	}
	defer ls.mu.Unlock()
	ls.put(f)
}

// queue is add that does not wait, for what is rare.
func (ls *lanes) queue(f *frame) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.put(f)
}

// put makes the lane of f if there is none. The caller holds mu.
func (ls *lanes) put(f *frame) {
	dest := int(f.dest)
	l := ls.to[dest]
	if l == nil {
		l = &lane{bytes: map[int]int{}, moved: make(chan struct{})}
		ls.to[dest] = l
		ls.spawn(func() { ls.empty(dest, l) })
	}
	l.put(f)
}

// behind is add for a frame that has to come behind those that wait. If there
// are none, it returns false and leaves the frame to the caller.
func (ls *lanes) behind(f *frame) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.to[int(f.dest)]
	if l == nil {
		return false
	}
	l.put(f)
	return true
}

func (l *lane) put(f *frame) {
	l.frames = append(l.frames, f)
	l.bytes[int(f.source)] += len(f.body) + frameCost
}

// empty writes what there is for a rank until nothing is left.
func (ls *lanes) empty(dest int, l *lane) {
	for f := ls.first(l); f != nil; f = ls.next(dest, l) {
		if f.turn != nil {
			close(f.turn)
		} else {
			ls.write(f)
		}
	}
}

func (ls *lanes) first(l *lane) *frame {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return l.frames[0]
}

// next removes the frame that is written and returns the one behind it, nil if
// there is none. Then the lane is over.
func (ls *lanes) next(dest int, l *lane) *frame {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	f := l.frames[0]
	l.frames[0] = nil
	l.frames = l.frames[1:]
	l.bytes[int(f.source)] -= len(f.body) + frameCost
	close(l.moved)
	l.moved = make(chan struct{})
	if len(l.frames) == 0 {
		delete(ls.to, dest)
		return nil
	}
	return l.frames[0]
}

// waits says whether there is anything for a rank.
func (ls *lanes) waits(dest int) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.to[dest] != nil
}

// pass waits until what waits for a rank now has left, so that a frame of rank 0
// itself comes behind it. It returns false if ctx ends first.
func (ls *lanes) pass(ctx context.Context, dest int) bool {
	if !ls.waits(dest) {
		return true
	}
	f := &frame{header: header{dest: uint32(dest)}, turn: make(chan struct{})}
	if !ls.behind(f) {
		return true
	}
	select {
	case <-f.turn:
		return true
	case <-ctx.Done():
		return false
	}
}
