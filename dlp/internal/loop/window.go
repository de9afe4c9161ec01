package loop

import (
	"math"
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

	// windowBytes bounds a window of items that travel, unless it is a single
	// one.
	windowBytes = 1 << 20

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

// assign takes the next window for slots of a rank that wait: one span, or none
// if there is nothing that it could be given now.
//
// What lost ranks have held goes first, single items all of them: one may be
// why its rank is lost, so it must not take others with it. For that reason a
// rank has one of them at a time, however many slots it has. Then goes what was
// given back, beginning with single items: there is a long item among them, or
// was just before.
func (m *manager) assign(rank, slots int) (span, bool) {
	h := &m.ranks[rank]
	if m.stopped || h.state != in || m.tooLate(h) {
		return span{}, false
	}
	s, ok := m.takeAgain(h)
	if !ok {
		s, ok = m.takeFailed(rank)
	}
	if !ok {
		s, ok = m.takeBack(h, slots)
	}
	if !ok {
		s, ok = m.takeNext(h, slots)
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
	if h.again != none {
		return span{}, false
	}
	for i, index := range m.again {
		if m.ordered && index < h.position {
			continue
		}
		m.again = slices.Delete(m.again, i, i+1)
		h.again = index
		return span{index, 1}, true
	}
	return span{}, false
}

// takeBack takes indices that were given back and that h can go to.
func (m *manager) takeBack(h *holder, slots int) (span, bool) {
	for i := range m.back {
		s := &m.back[i]
		if m.ordered && s.first < h.position {
			continue
		}
		taken := m.light(span{s.first, min(s.n, slots*m.windowOf(h, h.careful))})
		h.careful = perSlot(taken.n, slots) * windowGrowth
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
func (m *manager) takeNext(h *holder, slots int) (span, bool) {
	end := m.gap()
	if m.next >= end {
		return span{}, false
	}
	s := m.light(span{m.next, min(end-m.next, slots*m.windowOf(h, h.limit))})
	h.limit = perSlot(s.n, slots) * windowGrowth
	m.next += s.n
	m.passOver()
	return s, true
}

// end is the first index that cannot be handed out, or not yet.
func (m *manager) end() int {
	if m.total != Unknown {
		return min(m.total, m.ready)
	}
	return m.ready
}

// perSlot is n items shared by slots, rounded up.
func perSlot(n, slots int) int { return (n + slots - 1) / slots }

// light returns of s what a window holds of items that travel: one, or as many
// as are not more than windowBytes.
func (m *manager) light(s span) span {
	if m.weight == nil {
		return s
	}
	bytes := 0
	for i := range s.n {
		if bytes += m.weight(s.first + i); bytes > windowBytes {
			return span{s.first, max(1, i)}
		}
	}
	return s
}

// windowOf returns how many items a slot of a rank should be given, at most
// limit: as many as fill the target, but never so many that the others would
// run out of work.
func (m *manager) windowOf(h *holder, limit int) int {
	n := limit
	if h.mean > 0 {
		n = min(n, int(m.target/h.mean))
	}
	if m.ready == math.MaxInt && m.total == Unknown {
		n = min(n, windowUnknown)
	} else {
		open := m.end() - m.next - count(m.skip) + len(m.again) + len(m.failed) + count(m.back)
		n = min(n, open/(2*m.slots))
	}
	if expected := m.expected(h); m.limited && expected > 0 {
		n = min(n, int(m.left/expected))
	}
	return max(1, n)
}
