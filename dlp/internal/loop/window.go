package loop

import (
	"slices"
	"time"
)

const (
	// windowTime is how much work a rank is given at a time, judged by what
	// its items took so far: long against a round trip to rank 0, short
	// against any loop that is worth running on several ranks.
	windowTime = 10 * time.Millisecond

	// windowShare is what each rank adds, so that the manager of a thousand
	// ranks still keeps up.
	windowShare = 50 * time.Microsecond

	// holdWindows is for how many windows' time a rank may sit on items that
	// it has not started. Then it gives them back, because one of its items
	// is far longer than those before.
	holdWindows = 4

	// windowGrowth bounds how much larger a window is than the one before.
	windowGrowth = 8

	// windowUnknown bounds windows while the number of items is not known.
	windowUnknown = 16

	// itemCost is what the loop itself spends on an item besides its work. It
	// keeps windows of items that do next to nothing in bounds.
	itemCost = 250 * time.Nanosecond

	// meanWeight is how many items the mean time of a rank's items is over.
	meanWeight = 8
)

// targetTime is how much work a window holds in a job of this many ranks.
func targetTime(size int) time.Duration {
	return max(windowTime, time.Duration(size)*windowShare)
}

// assign takes the next window for a rank: one span, or none if there is
// nothing that it could be given now.
//
// What lost ranks have held goes first, single items all of them: one may be
// why its rank is lost, so it must not take others with it. Then goes what was
// given back, beginning with single items: there is a long item among them, or
// was just before.
func (m *manager) assign(rank int) (span, bool) {
	h := &m.ranks[rank]
	if m.stopped || h.state != in || m.tooLate(h) {
		return span{}, false
	}
	s, ok := m.takeAgain(h)
	if !ok {
		s, ok = m.takeBack(h)
	}
	if !ok {
		s, ok = m.takeNext(h)
	}
	if ok {
		h.held = append(h.held, s)
		h.position = s.end()
		m.held += s.n
	}
	return s, ok
}

// takeAgain takes an index that a lost rank has held and that h can go to.
func (m *manager) takeAgain(h *holder) (span, bool) {
	for i, index := range m.again {
		if m.ordered && index < h.position {
			continue
		}
		m.again = slices.Delete(m.again, i, i+1)
		return span{index, 1}, true
	}
	return span{}, false
}

// takeBack takes indices that were given back and that h can go to.
func (m *manager) takeBack(h *holder) (span, bool) {
	for i := range m.back {
		s := &m.back[i]
		if m.ordered && s.first < h.position {
			continue
		}
		taken := span{s.first, min(s.n, m.windowOf(h, h.careful))}
		h.careful = taken.n * windowGrowth
		s.first += taken.n
		s.n -= taken.n
		if s.n == 0 {
			m.back = slices.Delete(m.back, i, i+1)
		}
		return taken, true
	}
	return span{}, false
}

// takeNext takes indices that were never handed out.
func (m *manager) takeNext(h *holder) (span, bool) {
	if m.total != Unknown && m.next >= m.total {
		return span{}, false
	}
	s := span{m.next, m.windowOf(h, h.limit)}
	if m.total != Unknown {
		s.n = min(s.n, m.total-m.next)
	}
	h.limit = s.n * windowGrowth
	m.next += s.n
	return s, true
}

// windowOf returns how many items a rank should be given, at most limit: as
// many as fill the target, but never so many that the others would run out
// of work.
func (m *manager) windowOf(h *holder, limit int) int {
	n := limit
	if h.mean > 0 {
		n = min(n, int(m.target/h.mean))
	}
	if m.total == Unknown {
		n = min(n, windowUnknown)
	} else {
		open := m.total - m.next + len(m.again)
		for _, s := range m.back {
			open += s.n
		}
		n = min(n, open/(2*m.taking))
	}
	if expected := m.expected(h); m.limited && expected > 0 {
		n = min(n, int(m.left/expected))
	}
	return max(1, n)
}
