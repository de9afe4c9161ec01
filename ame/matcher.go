package ame

import (
	"errors"
	"sync"
	"sync/atomic"
)

// matcher is what has arrived, for whom, and which collective is due. It does
// no I/O and knows no link: it is told what has come, and which ranks are gone.
type matcher struct {
	self     int          // rank of the job
	sleepers atomic.Int32 // calls that wait and do not read from a link themselves
	spare    sync.Pool    // of *receiver: spares each call that waits a channel

	mu    sync.Mutex
	boxes map[commID]*mailbox
	freed map[uint32]*idSet // communicators whose late arrivals are dropped, by who gave their numbers out
	gone  map[int]*trouble  // by rank: why nothing more will come from it
	cut   *trouble          // why nothing more comes from ranks that are not in near; nil while something may
	near  map[int]bool
	over  *trouble // why no call works any more
	shut  bool     // nothing more is kept
	unmet unmet

	unknown map[int]*unknown // by rank of the job
}

func newMatcher(self int) *matcher {
	return &matcher{
		self: self, boxes: map[commID]*mailbox{}, freed: map[uint32]*idSet{}, gone: map[int]*trouble{}, unknown: map[int]*unknown{},
	}
}

// box returns the mailbox of a communicator, nil if that has been closed.
// Frames may come before this rank has learnt of the communicator. The caller
// holds mu.
func (m *matcher) box(id commID) *mailbox {
	if m.shut || m.freed[id.giver()].has(id.count()) {
		return nil
	}
	b := m.boxes[id]
	if b == nil {
		b = &mailbox{}
		m.boxes[id] = b
	}
	return b
}

// open lets this rank take part in a communicator.
func (m *matcher) open(id commID, g *group, p lossPolicy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.box(id)
	if b == nil {
		return
	}
	m.learns(b)
	b.group, b.policy = g, p
	for rank, t := range m.gone {
		if errors.Is(t.err, ErrLost) && g.has(rank) {
			m.lose(b, t)
		}
	}
}

// close ends the calls of a communicator, and drops what comes for it later.
// It returns the credit of what it drops now, and who
// wants to know that this rank has closed it.
func (m *matcher) close(id commID, t *trouble) (dropped map[purse]int64, askers []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.boxes[id]; b != nil {
		dropped, askers = b.held, b.askers
		m.refuse(b, func(*receiver) *trouble { return t })
		delete(m.boxes, id)
	}
	set := m.freed[id.giver()]
	if set == nil {
		set = &idSet{}
		m.freed[id.giver()] = set
	}
	set.add(id.count())
	return dropped, askers
}

// usable returns why no call works on a communicator, nil if calls do.
func (m *matcher) usable(id commID) *trouble {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, t := m.usableBox(id)
	return t
}

// usableBox is usable with the mailbox. The caller holds mu.
func (m *matcher) usableBox(id commID) (*mailbox, *trouble) {
	if m.over != nil {
		return nil, m.over
	}
	b := m.box(id)
	if b == nil {
		return nil, &trouble{-1, ErrClosed}
	}
	return b, b.trouble
}

// deliver gives a to the call that waits for it, or keeps it, or says in a why not.
// It returns the token of the link from which that call could have read by itself,
// if any.
func (m *matcher) deliver(id commID, a *arrival) (*token, *conflict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := m.boxFrom(id, a.Source)
	if err == nil && b != nil {
		err = m.excess(b, a)
	}
	if err != nil {
		a.excess = err
		return nil, nil
	}
	if b == nil {
		m.unmet.hear(id, a)
		a.dropped = true
		return nil, nil
	}
	if b.revoked {
		a.dropped = true
		return nil, nil
	}
	if a.kind == kindPart {
		if c := b.rounds.check(a.Source, announcement{seq: uint32(a.Tag), call: a.call}); c != nil {
			return nil, c
		}
	}
	r := b.claim(a)
	if r == nil {
		return nil, nil
	}
	via := r.via // r itself may be reused as soon as it has its outcome
	m.finish(r, outcome{arrival: a})
	return via, nil
}

// finish ends the wait of a call that has been taken out of its mailbox. The
// caller holds mu.
func (m *matcher) finish(r *receiver, out outcome) {
	if r.asleep {
		m.sleepers.Add(-1)
	}
	r.done <- out
}

// refuse ends the calls of b for which why returns a trouble. The caller
// holds mu.
func (m *matcher) refuse(b *mailbox, why func(*receiver) *trouble) {
	kept := b.waiting[:0]
	for _, r := range b.waiting {
		if t := why(r); t != nil {
			m.finish(r, outcome{trouble: t})
		} else {
			kept = append(kept, r)
		}
	}
	clear(b.waiting[len(kept):])
	b.waiting = kept
}

// take returns what p matches if it is here, else nil.
func (m *matcher) take(id commID, p pattern) *arrival {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.boxes[id]; b != nil {
		return b.take(p)
	}
	return nil
}

// fail ends all calls, now and later. Only the first trouble counts.
func (m *matcher) fail(t *trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over != nil {
		return
	}
	m.over = t
	for _, b := range m.boxes {
		m.refuse(b, func(*receiver) *trouble { return t })
	}
}

// end is fail, and lets go of everything that has arrived.
func (m *matcher) end(t *trouble) {
	m.fail(t)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unmet.end(m, t)
	m.shut = true
	clear(m.boxes)
}
