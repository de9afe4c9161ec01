package ame

import (
	"context"
	"errors"
	"slices"
)

// A rank that has closed a communicator, other than that of the job, tells so
// whoever waits for it there, as it tells all by its bye when it leaves the job.
// Those who have waited for announceAfter ask.

// askClosed asks the ranks that a call on c waits for whether they have closed it.
func (c *Comm) askClosed(p pattern) {
	j := c.job
	if c.id == 0 || p.source == AnySource && p.kind != kindPart {
		return
	}
	ranks := []int{p.source}
	if p.source == AnySource {
		ranks = c.group.ranksOf(c.others())
	}
	j.background(func() {
		for _, rank := range ranks {
			if rank == j.rank {
				continue
			}
			h := header{kind: kindWhere, comm: c.id, source: uint32(j.rank), dest: uint32(rank)}
			// A rank that cannot be asked is gone, and that ends the wait.
			_, _, _ = j.put(context.Background(), h, rank, nil)
		}
	})
}

// sayIfClosed answers askClosed, now or when this rank closes the communicator.
func (j *job) sayIfClosed(h *header) {
	if j.matcher.asksClosed(h.comm, int(h.source)) {
		j.sayClosed(h.comm, int(h.source), closedAsked)
	}
}

// What a frame of kindClosed has for a tag.
const (
	closedAsked   = 0 // it is an answer
	closedDropped = 1 // a message of the rank that it goes to was dropped
)

// sayClosed tells a rank that this one has closed a communicator, behind what it
// has sent there, and why it is told.
func (j *job) sayClosed(id commID, rank int, why uint32) {
	h := header{kind: kindClosed, comm: id, source: uint32(j.rank), dest: uint32(rank), tag: why}
	j.answer(func() { _, _, _ = j.put(context.Background(), h, rank, nil) })
}

// asksClosed says whether this rank has closed a communicator. If not, it notes
// who wants to know.
func (m *matcher) asksClosed(id commID, rank int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := m.boxFrom(id, rank)
	if b == nil {
		return err == nil && !m.shut // else the bye says it
	}
	if !slices.Contains(b.askers, rank) {
		b.askers = append(b.askers, rank)
	}
	return false
}

// closedBy notes that a rank has closed a communicator, and perhaps has dropped a
// message: what waits for it there ends.
func (m *matcher) closedBy(id commID, rank int, dropped bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.boxes[id]
	if b == nil || b.group == nil {
		return
	}
	if b.closed == nil {
		b.closed = map[int]*trouble{}
	}
	b.closed[rank] = &trouble{rank, ErrLeft}
	if dropped && b.dropped == nil {
		b.dropped = b.closed[rank]
	}
	m.refuse(b, func(r *receiver) *trouble { return m.inVain(b, r.pattern) })
}

// takes returns why a rank takes nothing on a communicator, as far as is known.
func (m *matcher) takes(id commID, rank int) *trouble {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.boxes[id]; b != nil {
		return b.closed[rank]
	}
	return nil
}

// droppedBy returns which rank is the first that has dropped a message of this
// one; nil if none is known, or the loss of a rank explains it.
func (m *matcher) droppedBy(id commID) *trouble {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.boxes[id]; b != nil && b.loss == nil && b.policy == intolerant {
		return b.dropped
	}
	return nil
}

// errClosedEarly is why the Close of a communicator fails whose messages were dropped.
var errClosedEarly = errors.New("has closed the communicator, and dropped a message that this rank had sent to it later")
