package loop

// setSlots notes how many items each rank works on at once, and returns how many
// all do together. Nil: one each.
func (m *manager) setSlots(slots []int) (total int) {
	if slots == nil {
		return m.slots
	}
	m.slots = 0
	for rank, n := range slots {
		m.ranks[rank].slots = n
		m.slots += n
	}
	m.target = targetTime(m.slots)
	return m.slots
}
