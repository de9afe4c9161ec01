package loop

import (
	"fmt"
	"slices"
)

// LossPolicy says what a loop does about the items of a rank that is lost: those
// that it held and, where what it has finished is lost with it, those as well.
type LossPolicy int

const (
	Reassign LossPolicy = iota // other ranks do them
	FailLoop                   // nothing more is handed out
	Skip                       // nobody does them
)

// bury takes a lost rank out of the loop and returns what it held and, under
// redo, what it had finished.
func (m *manager) bury(rank int) (held, done []span) {
	h := &m.ranks[rank]
	held, done = slices.Clone(h.held), h.done
	h.done = nil
	m.leave(rank, lost)
	h.state = lost
	for _, s := range done {
		m.finished -= s.n
	}
	if m.total != Unknown {
		held = below(held, m.total)
	}
	return held, done
}

// reopen hands the items of a lost rank out again. Of those that it held each
// may be why it is lost: they go to one more rank, alone. It returns those of
// them with which another rank was lost before. Nobody is to try these again.
func (m *manager) reopen(rank int, held, done []span) (poison []int) {
	for _, s := range held {
		for index := s.first; index < s.end(); index++ {
			if _, twice := m.blamed[index]; twice {
				poison = append(poison, index)
				continue
			}
			m.blamed[index] = rank
			m.tries[index]++
			m.again = append(m.again, index)
		}
	}
	slices.Sort(m.again)
	for _, s := range done {
		m.open(s)
	}
	m.finished += len(poison)
	return poison
}

// rest names the items that nobody has done or holds, "" if there are none.
func (m *manager) rest() string {
	spans := m.unheld()
	switch {
	case m.total == Unknown:
		if len(spans) == 0 {
			return Rest(m.next, Unknown)
		}
		return fmt.Sprintf("%s and all from %d on", itemList(merged(spans)), m.next)
	case m.next < m.total:
		spans = append(spans, m.gaps()...)
	}
	if len(spans) == 0 {
		return ""
	}
	return itemList(merged(spans))
}

// Rest names all items from index on, of so many.
func Rest(index, total int) string {
	if total == Unknown {
		return fmt.Sprintf("all items from %d on", index)
	}
	return itemList([]span{{index, total - index}})
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
