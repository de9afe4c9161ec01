package loop

import (
	"slices"
)

// failedItem is an item on which work has failed, and that goes to a rank again.
type failedItem struct {
	index int
	rank  int // that has failed last
}

// attempt returns how often an item was handed out so that it counts: from 1.
func (m *manager) attempt(index int) int { return 1 + m.tries[index] }

// retry makes an item that has failed on a rank wait for another one, unless it
// has had its attempts.
func (m *manager) retry(rank, index int) bool {
	if m.failures[index] >= m.retries {
		return false
	}
	m.failures[index]++
	m.tries[index]++
	m.finished--
	m.failed = append(m.failed, failedItem{index, rank})
	return true
}

// settle forgets the attempts of an item that is finished.
func (m *manager) settle(index int) {
	delete(m.tries, index)
	delete(m.failures, index)
}

// takeFailed takes an item that has failed. The rank where it did gets it only if
// no other one is there: something may be wrong with the node.
func (m *manager) takeFailed(rank int) (span, bool) {
	for i, f := range m.failed {
		if f.rank == rank && m.taking > 1 {
			continue
		}
		m.failed = slices.Delete(m.failed, i, i+1)
		return span{f.index, 1}, true
	}
	return span{}, false
}

// unheld returns the spans of items that nobody holds and that were handed out
// before.
func (m *manager) unheld() []span {
	numbers := slices.Clone(m.again)
	for _, f := range m.failed {
		numbers = append(numbers, f.index)
	}
	slices.Sort(numbers)
	return append(spansOf(numbers), m.back...)
}
