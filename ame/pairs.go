package ame

import "fmt"

// A pair of ranks other than 0 may get a link of its own. Frames between the
// two go by way of rank 0 until then, and go over to it without losing their
// order: each side sends, by way of rank 0, that what follows comes over the
// link, and reads nothing from the link before it has heard that of the other.

// wants says whether this rank is to make a link to another one, which it has
// something for. It says so once. The caller holds mu.
func (m *mesh) wants(rank int) bool {
	if !m.pairs || rank == 0 || rank == m.self || m.closed {
		return false
	}
	p := m.member(rank)
	if p.tried || p.resume != nil || p.opening || p.link != nil || p.gone != nil {
		return false
	}
	p.tried, p.opening = true, true
	return true
}

// takes says whether this rank takes a link that another one is making. Of two
// that make one to each other, that of the lower rank counts.
func (m *mesh) takes(rank int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.member(rank)
	if m.closed || p.link != nil || p.resume != nil || p.gone != nil || p.opening && m.self < rank {
		return false
	}
	p.opening = true
	return true
}

// givesUp notes that no link to a rank has come about. Frames go on by way of
// rank 0.
func (m *mesh) givesUp(rank int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.member(rank).opening = false
}

// hears notes that what follows from a rank comes over its link.
func (m *mesh) hears(rank int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.member(rank); !p.over() {
		close(p.comes)
	}
}

// comes returns what is closed when frames from a rank come over its link.
func (m *mesh) comes(rank int) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.member(rank).comes
}

// returns notes that what follows from the rank at the other end of l comes by
// way of rank 0 again.
func (m *mesh) returns(l link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.member(l.peer()); p.link == l && p.gone == nil {
		p.comes = make(chan struct{})
	}
}

// noteResume notes how many frames a rank has got over its link to this one, which
// has ended there. It returns the link, nil if this rank is yet to have it.
func (m *mesh) noteResume(rank int, count uint64) (link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.member(rank)
	if p.resume != nil {
		return nil, fmt.Errorf("a link to rank %d ends twice", m.self)
	}
	p.resume = &count
	return p.link, nil
}

// resumeNoted returns what noteResume has noted of a rank, nil if nothing.
func (m *mesh) resumeNoted(rank int) *uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.member(rank).resume
}

// disconnect lets frames to the rank at the other end of l, which has ended, go by
// way of rank 0 again, for good: noteResume has been called.
func (m *mesh) disconnect(l link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.member(l.peer()); p.link == l {
		p.link = nil
	}
}
