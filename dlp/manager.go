package dlp

import (
	"fmt"
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

// manager decides which rank works on which indices of a loop. It is plain
// state: no I/O, no goroutine, no clock.
//
// An index is in one place at any time: not handed out yet (next and above),
// given back, held by one rank, or finished. So the loop ends with each item
// done exactly once, and what a rank leaves behind can be named or given to
// another one.
type manager struct {
	total    int    // number of items; unknown while a sequence's end is not found
	next     int    // first index that was never handed out
	back     []span // given back, ascending
	held     int    // number of items that ranks hold
	finished int
	stopped  bool // nothing more is handed out
	ordered  bool // ranks walk a sequence and cannot go back in it
	target   time.Duration
	ranks    []holder
	taking   int // number of ranks that are not out
}

const unknown = -1

// holder is what the manager knows about one rank.
type holder struct {
	held     []span        // handed out and not finished, in the order of work
	mean     time.Duration // of its last items; 0: none finished yet
	limit    int           // of the next window
	careful  int           // of the next window of items that were given back
	position int           // an ordered rank cannot take indices below
	out      bool          // takes no more items
}

func newManager(size, total int, ordered bool) *manager {
	m := &manager{
		total: total, ordered: ordered, ranks: make([]holder, size), taking: size, target: targetTime(size),
	}
	for i := range m.ranks {
		m.ranks[i].limit, m.ranks[i].careful = 1, 1
	}
	return m
}

// assign takes the next window for a rank: one span, or none if there is
// nothing that it could be given now.
//
// What was given back goes first, beginning with single items: there is a
// long item among them, or was just before.
func (m *manager) assign(rank int) (span, bool) {
	h := &m.ranks[rank]
	if m.stopped || h.out {
		return span{}, false
	}
	s, ok := m.takeBack(h)
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
	if m.total != unknown && m.next >= m.total {
		return span{}, false
	}
	s := span{m.next, m.windowOf(h, h.limit)}
	if m.total != unknown {
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
	if m.total == unknown {
		n = min(n, windowUnknown)
	} else {
		open := m.total - m.next
		for _, s := range m.back {
			open += s.n
		}
		n = min(n, open/(2*m.taking))
	}
	return max(1, n)
}

// finish notes that a rank is done with an index. It took d.
func (m *manager) finish(rank, index int, d time.Duration) error {
	h := &m.ranks[rank]
	if err := h.remove(span{index, 1}); err != nil {
		return fmt.Errorf("rank %d has finished item %d: %w", rank, index, err)
	}
	m.held--
	if m.total != unknown && index >= m.total {
		return fmt.Errorf("ranks disagree on the number of items: rank %d has an item %d, another one found the end at %d", rank, index, m.total)
	}
	if d = max(0, d) + itemCost; h.mean == 0 {
		h.mean = d
	} else {
		h.mean += (d - h.mean) / meanWeight
	}
	m.finished++
	return nil
}

// remove takes s, which lies in one of the held spans, out of them.
func (h *holder) remove(s span) error {
	for i, have := range h.held {
		if s.first < have.first || s.end() > have.end() {
			continue
		}
		left := span{have.first, s.first - have.first}
		right := span{s.end(), have.end() - s.end()}
		if left.n == 0 && right.n > 0 { // as always when items are worked on in order
			h.held[i] = right
			return nil
		}
		h.held = slices.Replace(h.held, i, i+1, left, right)
		h.held = slices.DeleteFunc(h.held, func(s span) bool { return s.n == 0 })
		return nil
	}
	return fmt.Errorf("%s not with it", itemList([]span{s}))
}

// giveBack takes unstarted items from a rank, to be handed out again.
func (m *manager) giveBack(rank int, s span) error {
	h := &m.ranks[rank]
	if err := h.remove(s); err != nil {
		return fmt.Errorf("rank %d gives back: %w", rank, err)
	}
	m.held -= s.n
	i, _ := slices.BinarySearchFunc(m.back, s, func(a, b span) int { return a.first - b.first })
	m.back = slices.Insert(m.back, i, s)
	h.position = min(h.position, s.first)
	h.limit = 1
	for i := range m.ranks {
		m.ranks[i].careful = 1
	}
	return nil
}

// foundEnd notes that a rank has found the sequence to have n items. What it
// holds beyond does not exist.
func (m *manager) foundEnd(rank, n int) error {
	m.drop(rank)
	if m.total != unknown && m.total != n {
		return fmt.Errorf("ranks disagree on the number of items: rank %d found the end at %d, another one at %d", rank, n, m.total)
	}
	m.total = n
	m.next = min(m.next, n)
	m.back = slices.DeleteFunc(m.back, func(s span) bool { return s.first >= n })
	for i := range m.back {
		m.back[i].n = min(m.back[i].n, n-m.back[i].first)
	}
	return nil
}

// drop forgets what a rank holds.
func (m *manager) drop(rank int) {
	for _, s := range m.ranks[rank].held {
		m.held -= s.n
	}
	m.ranks[rank].held = nil
}

// leave notes that a rank takes no more items. It says whether it did so far.
func (m *manager) leave(rank int) bool {
	if m.ranks[rank].out {
		return false
	}
	m.ranks[rank].out = true
	m.taking--
	return true
}

// over says whether no item is, or will be, worked on any more.
func (m *manager) over() bool {
	if m.held > 0 {
		return false
	}
	return m.stopped || m.total != unknown && m.next >= m.total && len(m.back) == 0 || !m.anyTaker()
}

// anyTaker says whether some rank could still be given an item.
func (m *manager) anyTaker() bool {
	if !m.ordered || m.total == unknown || m.next < m.total {
		return m.taking > 0
	}
	for i := range m.ranks {
		h := &m.ranks[i]
		for _, s := range m.back {
			if !h.out && s.first >= h.position {
				return true
			}
		}
	}
	return false
}

// busy is how many ranks hold items.
func (m *manager) busy() int {
	n := 0
	for i := range m.ranks {
		if len(m.ranks[i].held) > 0 {
			n++
		}
	}
	return n
}

// unfinished names the items that a rank holds: "unfinished items 3,7-9".
func (m *manager) unfinished(rank int) string {
	held := m.ranks[rank].held
	if len(held) == 0 {
		return "no unfinished items"
	}
	return "unfinished " + itemList(held)
}
