package loop

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// manager decides which rank works on which indices of a loop. It is plain
// state: no I/O, no goroutine, no clock.
//
// An index is in one place at any time: not handed out yet (next and above),
// given back, left by a lost rank (again), held by one rank, or finished. So the
// loop ends with each item done exactly once, and what a rank leaves behind can
// be named.
type manager struct {
	total    int          // number of items; Unknown while a sequence's end is not found
	next     int          // first index that was never handed out
	skip     []span       // above that: finished before, ascending
	ready    int          // first index that cannot be handed out yet
	back     []span       // given back, ascending
	again    []int        // held by ranks that were lost, ascending
	failed   []failedItem // on which work has failed, and that go to a rank again
	held     int          // number of items that ranks hold
	finished int
	stopped  bool          // nothing more is handed out
	ordered  bool          // ranks walk a sequence and cannot go back in it
	redo     bool          // what a rank has finished is lost with it
	limited  bool          // there is a time when all items must be done
	left     time.Duration // until then
	target   time.Duration
	ranks    []holder
	taking   int                 // number of ranks that are in
	slots    int                 // of those
	blamed   map[int]int         // by item that a lost rank has held: that rank
	weight   func(index int) int // in bytes, of items that travel; nil: they do not
	retries  int                 // of an item on which work has failed
	failures map[int]int         // by item: how often it has
	tries    map[int]int         // by item: attempts that came to nothing
}

// state is where a rank stands. It changes once, but that a rank which is out
// may be lost.
type state byte

const (
	in   state = iota // takes items
	home              // was told the end
	out               // has said that it left, or never was in
	lost              // cannot be reached any more
)

// holder is what the manager knows about one rank.
type holder struct {
	held     []span        // handed out and not finished, in the order of work
	done     []span        // finished, under redo
	mean     time.Duration // of its last items; 0: none finished yet
	limit    int           // of the next window
	careful  int           // of the next window of items that were given back
	position int           // an ordered rank cannot take indices below
	slots    int           // how many items it works on at once
	again    int           // item of a lost rank that it holds, or none
	state    state
}

// none is no index.
const none = -1

func newManager(size, total int, ordered bool) *manager {
	m := &manager{
		total: total, ready: total, ordered: ordered, ranks: make([]holder, size), taking: size, slots: size,
		target: targetTime(size), blamed: map[int]int{}, failures: map[int]int{}, tries: map[int]int{},
	}
	if total == Unknown {
		m.ready = math.MaxInt
	}
	for i := range m.ranks {
		m.ranks[i] = holder{limit: 1, careful: 1, slots: 1, again: none}
	}
	return m
}

// finish notes that a rank is done with an index. It took d.
func (m *manager) finish(rank, index int, d time.Duration) error {
	h := &m.ranks[rank]
	if err := h.remove(span{index, 1}); err != nil {
		return fmt.Errorf("rank %d has finished item %d: %w", rank, index, err)
	}
	m.held--
	if h.again == index {
		h.again = none
	}
	if m.total != Unknown && index >= m.total {
		return fmt.Errorf("ranks disagree on the number of items: rank %d has an item %d, another one found the end at %d", rank, index, m.total)
	}
	if d = max(0, d) + itemCost; h.mean == 0 {
		h.mean = d
	} else {
		h.mean += (d - h.mean) / meanWeight
	}
	m.finished++
	if m.redo {
		h.done = extend(h.done, index)
	}
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
	if h.again == s.first && s.n == 1 {
		h.again = none
		m.again = append(m.again, s.first)
		slices.Sort(m.again)
	} else {
		m.open(s)
	}
	if !slices.ContainsFunc(h.held, func(have span) bool { return have.first > s.first }) {
		h.position = min(h.position, s.first) // else a window is on its way to it
	}
	h.limit = 1
	for i := range m.ranks {
		m.ranks[i].careful = 1
	}
	return nil
}

// open makes items that nobody holds wait for a rank again.
func (m *manager) open(s span) {
	i, _ := slices.BinarySearchFunc(m.back, s, func(a, b span) int { return a.first - b.first })
	m.back = slices.Insert(m.back, i, s)
}

// foundEnd notes that a rank has found the sequence to have n items. What it
// holds beyond does not exist.
func (m *manager) foundEnd(rank, n int) error {
	h := &m.ranks[rank]
	m.held -= count(h.held)
	h.held = below(h.held, n)
	m.held += count(h.held)
	if m.total != Unknown && m.total != n {
		return fmt.Errorf("ranks disagree on the number of items: rank %d found the end at %d, another one at %d", rank, n, m.total)
	}
	m.total = n
	m.next = min(m.next, n)
	m.back = below(m.back, n)
	m.again = slices.DeleteFunc(m.again, func(i int) bool { return i >= n })
	return nil
}

// forget takes from a rank what it holds. Nobody will do it.
func (m *manager) forget(rank int) {
	h := &m.ranks[rank]
	m.held -= count(h.held)
	h.held, h.again = nil, none
}

// leave notes that a rank takes no more items. The first reason stays.
func (m *manager) leave(rank int, why state) {
	m.forget(rank)
	if h := &m.ranks[rank]; h.state == in {
		h.state = why
		m.taking--
		m.slots -= h.slots
	}
}

// anyOther says whether a rank other than 0 is in.
func (m *manager) anyOther() bool {
	others := m.taking
	if m.ranks[0].state == in {
		others--
	}
	return others > 0
}

// over says whether no item is, or will be, worked on any more.
func (m *manager) over() bool {
	if m.held > 0 {
		return false
	}
	return m.stopped || m.total != Unknown && m.next >= m.total && len(m.back)+len(m.again)+len(m.failed) == 0 || !m.anyTaker()
}

// anyOpen says whether there are items that could be handed out.
func (m *manager) anyOpen() bool {
	return m.next < m.end() || len(m.back)+len(m.again)+len(m.failed) > 0
}

// anyTaker says whether some rank could still be given an item.
func (m *manager) anyTaker() bool {
	if !m.ordered || m.total == Unknown || m.next < m.total {
		return m.taking > 0
	}
	for i := range m.ranks {
		h := &m.ranks[i]
		for _, s := range m.back {
			if h.state == in && s.first >= h.position {
				return true
			}
		}
		for _, index := range m.again {
			if h.state == in && index >= h.position {
				return true
			}
		}
	}
	return false
}
