package ame

import (
	"sync/atomic"
	"time"
)

// token is the right to read from a link. Exactly one party holds it, or it
// lies free.
//
// The link's own goroutine is its owner: it reads, so that frames are taken,
// forwarded and answered, and a lost rank is noticed, whatever the calls of
// this rank do. But to wake a call from that goroutine costs about as much as
// the system's part of a short message. So after a frame for a call which could
// have read it by itself, the owner lends the token: it lies free for such
// calls to take, as long as they come in quick succession.
//
// A lent token lies free only while no call sleeps: whoever falls asleep
// recalls it (see matcher.sleepers), and the owner looks for sleepers after it
// has laid it down. So what a call waits for is always read. What no call waits
// for, such as news of a failure, may lie unread for twice lendCheck.
type token struct {
	held     chan struct{} // holds a value while a party has the token
	recalled chan struct{} // gets a value when the owner is to take it back at once
	lent     atomic.Bool   // the owner does not have it
	used     atomic.Bool   // a call has had it since the owner last looked
	kept     atomic.Bool   // the owner lends it no more

	// err is why nothing more can be read, as its holder has found.
	err error
}

// Timers that end within a tick of the kernel's clock (4 ms) make each wait on
// the network dearer, by half of a short message's round trip on a virtual
// machine. The two below are longer.
const (
	// lendCheck is how often an owner looks whether its token is still used.
	lendCheck = 10 * time.Millisecond

	// callReads is how long a call reads from a link itself before it leaves
	// that to the owner and waits in a way that can be cancelled.
	callReads = 40 * time.Millisecond
)

// newToken returns a token that its owner holds.
func newToken() *token {
	t := &token{held: make(chan struct{}, 1), recalled: make(chan struct{}, 1)}
	t.held <- struct{}{}
	return t
}

// try takes the token for a call if it lies free.
func (t *token) try() bool {
	select {
	case t.held <- struct{}{}:
		t.used.Store(true)
		return true
	default:
		return false
	}
}

// put lays the token down. A call that has it does so, or whoever it has
// passed it to.
func (t *token) put() { <-t.held }

// recall makes the owner take the token back as soon as it lies free.
func (t *token) recall() {
	if !t.lent.Load() {
		return
	}
	t.used.Store(false)
	select {
	case t.recalled <- struct{}{}:
	default:
	}
}

// keep ends lending for good. A call that is reading goes on.
func (t *token) keep() { t.kept.Store(true) }

// lend lays the owner's token down and returns when it has it back: after
// calls have stayed away for a while, or needed says that one waits for the
// owner to read, or on a recall. It is called while the token is not kept.
func (t *token) lend(needed func() bool) {
	t.used.Store(true)
	t.lent.Store(true)
	<-t.held
	for t.used.Swap(false) && !t.kept.Load() && !needed() {
		select {
		case <-t.recalled:
		case <-time.After(lendCheck):
		}
	}
	t.held <- struct{}{}
	t.lent.Store(false)
}
