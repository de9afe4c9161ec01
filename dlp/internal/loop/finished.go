package loop

// pass notes that items, in ascending order, are finished before the loop begins.
func (m *manager) pass(finished []int) {
	m.skip = spansOf(finished)
	m.finished += len(finished)
	m.passOver()
}

// passOver goes on to the next item that is not finished.
func (m *manager) passOver() {
	for len(m.skip) > 0 && m.skip[0].first == m.next {
		m.next = m.skip[0].end()
		m.skip = m.skip[1:]
	}
}

// gap is the end of the run of items that begins with next: they can be handed
// out and are not finished.
func (m *manager) gap() int {
	if len(m.skip) > 0 {
		return min(m.end(), m.skip[0].first)
	}
	return m.end()
}

// gaps are the items from next on that are not finished.
func (m *manager) gaps() []span {
	var gaps []span
	next := m.next
	for _, s := range m.skip {
		gaps = append(gaps, span{next, s.first - next})
		next = s.end()
	}
	if next < m.total {
		gaps = append(gaps, span{next, m.total - next})
	}
	return gaps
}

// AddFinished gives a loop whose items travel one that is finished, with its
// result. Its index is the next one that Add would give. It is not ok if the loop
// is over.
func (s *Server) AddFinished(item Item) (index int, ok bool) {
	s.change(func() {
		if ok = !s.m.stopped && s.m.total == Unknown; !ok {
			return
		}
		index = s.m.ready
		item.Index = index
		s.m.ready++
		s.m.skip = extend(s.m.skip, item.Index)
		s.m.finished++
		s.m.passOver()
		s.deliver(item)
	})
	return index, ok
}
