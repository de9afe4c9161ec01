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
}

func newMatcher(self int) *matcher {
	return &matcher{
		self: self, boxes: map[commID]*mailbox{}, freed: map[uint32]*idSet{}, gone: map[int]*trouble{},
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
	b.group, b.policy = g, p
	for rank, t := range m.gone {
		if errors.Is(t.err, ErrLost) && g.has(rank) {
			m.lose(b, t)
		}
	}
}

// lose ends the calls of b that the loss of a rank of its group ends: all of
// them, or on a tolerant communicator those in collectives. The caller holds mu.
func (m *matcher) lose(b *mailbox, t *trouble) {
	if b.loss != nil {
		return
	}
	b.loss = t
	if b.policy == intolerant {
		b.trouble = t
	}
	m.refuse(b, func(r *receiver) *trouble {
		if b.policy == tolerant && r.kind != kindPart {
			return nil
		}
		return t
	})
}

// close ends the calls of a communicator, and drops what comes for it later.
// It returns the credit of the messages that it drops now, by rank.
func (m *matcher) close(id commID, t *trouble) (dropped map[int]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.boxes[id]; b != nil {
		dropped = b.counted()
		m.refuse(b, func(*receiver) *trouble { return t })
		delete(m.boxes, id)
	}
	set := m.freed[id.giver()]
	if set == nil {
		set = &idSet{}
		m.freed[id.giver()] = set
	}
	set.add(id.count())
	return dropped
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

// deliver gives a to the call that waits for it, or keeps it. It returns the
// token of the link from which that call could have read by itself, if any.
func (m *matcher) deliver(id commID, a *arrival) (*token, *conflict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.box(id)
	if b == nil {
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

// leave notes that nothing more will come from a rank: calls that wait for it
// alone end, and so do those that wait for any rank when no other is left. What
// else ends if the rank is lost, lose says.
func (m *matcher) leave(rank int, t *trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone[rank] != nil {
		return
	}
	m.gone[rank] = t
	lost := errors.Is(t.err, ErrLost)
	for _, b := range m.boxes {
		if lost && b.group != nil && b.group.has(rank) {
			m.lose(b, t)
		}
		m.refuse(b, func(r *receiver) *trouble { return m.inVain(b.group, r.pattern) })
	}
}

// cutOff is leave for all ranks but this one and those near.
func (m *matcher) cutOff(near []int, t *trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut, m.near = t, map[int]bool{}
	for _, rank := range near {
		m.near[rank] = true
	}
	for _, b := range m.boxes {
		m.refuse(b, func(r *receiver) *trouble { return m.inVain(b.group, r.pattern) })
	}
}

// why returns why nothing more comes from a rank, nil if something may. The
// caller holds mu.
func (m *matcher) why(rank int) *trouble {
	if t := m.gone[rank]; t != nil {
		return t
	}
	if m.cut != nil && !m.near[rank] {
		return m.cut
	}
	return nil
}

// inVain returns why nothing will come that p matches, nil if something may.
// The caller holds mu.
func (m *matcher) inVain(g *group, p pattern) *trouble {
	switch {
	case p.source == m.self || len(m.gone) == 0 && m.cut == nil:
		return nil
	case p.source != AnySource && !p.every:
		return m.why(p.source)
	}
	var last *trouble
	for number := range g.size {
		rank := g.rank(number)
		t := m.why(rank)
		switch {
		case rank == m.self:
		case t != nil && p.every:
			return t
		case t == nil && !p.every:
			return nil
		default:
			last = t
		}
	}
	return last
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
	m.shut = true
	clear(m.boxes)
}
