package ame

import "errors"

// Which calls wait in vain, because ranks are gone.

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
		if b.policy == tolerant && r.op == 0 {
			return nil
		}
		return t
	})
}

// revoke ends a communicator and the one beside it: the calls there, now and
// later. It returns false if this rank has closed it.
func (m *matcher) revoke(id commID, t *trouble) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range []commID{id, id.beside()} {
		b := m.box(id)
		if b == nil {
			return false
		}
		b.revoked = true
		if b.trouble == nil {
			b.trouble = t
		}
		if b.loss == nil {
			b.loss = t
		}
		m.learns(b)
		b.unexpected, b.held, b.exposures = nil, nil, nil
		m.refuse(b, func(*receiver) *trouble { return b.trouble })
	}
	return true
}

// isRevoked says whether a communicator has been revoked.
func (m *matcher) isRevoked(id commID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.boxes[id]
	return b != nil && b.revoked
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
		m.refuse(b, func(r *receiver) *trouble { return m.inVain(b, r.pattern) })
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
		m.refuse(b, func(r *receiver) *trouble { return m.inVain(b, r.pattern) })
	}
}

// why returns why nothing more comes from a rank on a communicator, nil if
// something may. The caller holds mu.
func (m *matcher) why(b *mailbox, rank int) *trouble {
	if t := m.gone[rank]; t != nil {
		return t
	}
	if m.cut != nil && !m.near[rank] {
		return m.cut
	}
	return b.closed[rank]
}

// inVain returns why nothing will come that p matches, nil if something may.
// The caller holds mu.
func (m *matcher) inVain(b *mailbox, p pattern) *trouble {
	switch {
	case p.source == m.self || len(m.gone) == 0 && m.cut == nil && b.closed == nil:
		return nil
	case p.source != AnySource && !p.every:
		return m.why(b, p.source)
	}
	var last *trouble
	for number := range b.group.size {
		rank := b.group.rank(number)
		t := m.why(b, rank)
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
