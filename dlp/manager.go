package dlp

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// windowTime is how much work a rank is given at a time, judged by what
	// its items took so far: long against a round trip to rank 0, short
	// against any loop that is worth running on several ranks.
	windowTime = 10 * time.Millisecond

	// windowShare is added for each rank, so that the manager of a thousand
	// ranks still keeps up.
	windowShare = 50 * time.Microsecond

	// holdTime is how long a rank may sit on items that it has not started.
	// Then it gives them back, because one of its items is far longer than
	// those before.
	holdTime = 4 * windowTime

	// windowGrowth bounds how much larger a window is than the one before.
	windowGrowth = 8

	// windowUnknown bounds windows while the number of items is not known.
	windowUnknown = 16
)

// span is a run of indices.
type span struct{ first, n int }

func (s span) end() int { return s.first + s.n }

func (s span) String() string {
	if s.n == 1 {
		return fmt.Sprint(s.first)
	}
	return fmt.Sprintf("%d-%d", s.first, s.end()-1)
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
	finished int
	stopped  bool // nothing more is handed out
	ordered  bool // ranks walk a sequence and cannot go back in it
	target   time.Duration
	ranks    []holder
}

const unknown = -1

// holder is what the manager knows about one rank.
type holder struct {
	held     []span // handed out and not finished, in the order of work
	mean     time.Duration
	limit    int // of the next window
	position int // an ordered rank cannot take indices below
	out      bool
}

func newManager(size, total int, ordered bool) *manager {
	m := &manager{
		total: total, ordered: ordered, ranks: make([]holder, size),
		target: max(windowTime, time.Duration(size)*windowShare),
	}
	m.probe()
	return m
}

// probe makes the next window of every rank a single item, because what is
// known about their lengths is nothing, or proved wrong.
func (m *manager) probe() {
	for i := range m.ranks {
		m.ranks[i].limit = 1
	}
}

// assign takes the next window for a rank: one span, or none if there is
// nothing that it could be given now.
func (m *manager) assign(rank int) (span, bool) {
	h := &m.ranks[rank]
	if m.stopped || h.out {
		return span{}, false
	}
	n := m.windowOf(h)
	s, ok := m.takeBack(h, n)
	if !ok {
		if m.total != unknown {
			n = min(n, m.total-m.next)
		}
		if n <= 0 {
			return span{}, false
		}
		s = span{m.next, n}
		m.next += n
	}
	h.held = append(h.held, s)
	h.position = s.end()
	h.limit = s.n * windowGrowth
	return s, true
}

// windowOf returns how many items a rank should be given: as many as fill
// the target, but never so many that the others would run out of work.
func (m *manager) windowOf(h *holder) int {
	n := h.limit
	if h.mean > 0 {
		n = min(n, int(m.target/h.mean))
	}
	if m.total == unknown {
		return max(1, min(n, windowUnknown))
	}
	open := m.total - m.next
	for _, s := range m.back {
		open += s.n
	}
	return max(1, min(n, open/(2*m.active())))
}

// active is how many ranks still take items.
func (m *manager) active() int {
	n := 0
	for i := range m.ranks {
		if !m.ranks[i].out {
			n++
		}
	}
	return max(1, n)
}

// takeBack takes up to n indices that were given back and that h can go to.
func (m *manager) takeBack(h *holder, n int) (span, bool) {
	for i := range m.back {
		s := &m.back[i]
		if m.ordered && s.first < h.position {
			continue
		}
		taken := span{s.first, min(n, s.n)}
		s.first += taken.n
		s.n -= taken.n
		if s.n == 0 {
			m.back = slices.Delete(m.back, i, i+1)
		}
		return taken, true
	}
	return span{}, false
}

// finish notes that a rank is done with an index. It took d.
func (m *manager) finish(rank, index int, d time.Duration) error {
	h := &m.ranks[rank]
	if err := h.remove(span{index, 1}); err != nil {
		return fmt.Errorf("rank %d has finished item %d: %w", rank, index, err)
	}
	if m.total != unknown && index >= m.total {
		return fmt.Errorf("ranks disagree on the number of items: rank %d has an item %d, another one found the end at %d", rank, index, m.total)
	}
	if h.mean == 0 {
		h.mean = max(1, d)
	} else {
		h.mean = max(1, (7*h.mean+d)/8)
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
		switch {
		case left.n == 0 && right.n == 0:
			h.held = slices.Delete(h.held, i, i+1)
		case left.n == 0:
			h.held[i] = right
		case right.n == 0:
			h.held[i] = left
		default:
			h.held[i] = left
			h.held = slices.Insert(h.held, i+1, right)
		}
		return nil
	}
	return fmt.Errorf("items %v are not with it", s)
}

// giveBack takes unstarted items from a rank, to be handed out again.
func (m *manager) giveBack(rank int, s span) error {
	h := &m.ranks[rank]
	if err := h.remove(s); err != nil {
		return fmt.Errorf("rank %d gives back: %w", rank, err)
	}
	i, _ := slices.BinarySearchFunc(m.back, s, func(a, b span) int { return a.first - b.first })
	m.back = slices.Insert(m.back, i, s)
	h.position = min(h.position, s.first)
	m.probe()
	return nil
}

// foundEnd notes that a rank has found the sequence to have n items. What it
// holds beyond does not exist.
func (m *manager) foundEnd(rank, n int) error {
	m.ranks[rank].held = nil
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

// leave notes that a rank takes no more items.
func (m *manager) leave(rank int) { m.ranks[rank].out = true }

// over says whether no item is, or will be, worked on any more.
func (m *manager) over() bool {
	for i := range m.ranks {
		if len(m.ranks[i].held) > 0 {
			return false
		}
	}
	return m.stopped || m.total != unknown && m.next >= m.total && len(m.back) == 0 || !m.anyTaker()
}

// anyTaker says whether some rank could still be given an item.
func (m *manager) anyTaker() bool {
	for i := range m.ranks {
		h := &m.ranks[i]
		if h.out {
			continue
		}
		if !m.ordered || m.total == unknown || m.next < m.total {
			return true
		}
		for _, s := range m.back {
			if s.first >= h.position {
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

// unfinished names the items that a rank holds: "items 3,7-9".
func (m *manager) unfinished(rank int) string {
	held := m.ranks[rank].held
	if len(held) == 0 {
		return "no unfinished items"
	}
	return "unfinished " + itemList(held)
}

// itemList prints spans as "item 3" or "items 3,7-9".
func itemList(spans []span) string {
	parts := make([]string, len(spans))
	for i, s := range spans {
		parts[i] = s.String()
	}
	if len(spans) == 1 && spans[0].n == 1 {
		return "item " + parts[0]
	}
	return "items " + strings.Join(parts, ",")
}
