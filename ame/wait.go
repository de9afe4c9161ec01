package ame

// expect returns what p matches if it is here, or why it will never be, or a
// receiver that will get either. The receiver sleeps unless its call reads
// from a link itself, whose token it holds then.
func (m *matcher) expect(id commID, p pattern, via *token, reads bool) (*arrival, *receiver, *trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.boxes[id]; b != nil {
		if a := b.take(p); a != nil {
			return a, nil, nil
		}
	}
	b, t := m.usableBox(id)
	if t == nil && p.op != 0 {
		t = b.loss
	}
	if t == nil {
		t = m.inVain(b, p)
	}
	if t != nil {
		return nil, nil, t
	}
	r, _ := m.spare.Get().(*receiver)
	if r == nil {
		r = &receiver{done: make(chan outcome, 1)}
	}
	r.pattern, r.via, r.asleep = p, via, !reads
	if r.asleep {
		m.sleepers.Add(1)
	}
	b.waiting = append(b.waiting, r)
	return nil, r, nil
}

// sleep notes that the call of r no longer reads from a link itself.
func (m *matcher) sleep(r *receiver) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(r.done) == 0 && !r.asleep {
		r.asleep = true
		m.sleepers.Add(1)
	}
}

// cancel takes r back and says whether it was still waiting; if not, it has
// its outcome.
func (m *matcher) cancel(id commID, r *receiver) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.boxes[id]
	if b == nil || !b.forget(r) {
		return false
	}
	if r.asleep {
		m.sleepers.Add(-1)
	}
	return true
}

// release makes r, whose outcome has been taken, ready for another call.
func (m *matcher) release(r *receiver) { m.spare.Put(r) }

// missing returns those of the given ranks from which nothing has come that p
// matches but for its source.
func (m *matcher) missing(id commID, p pattern, ranks []int) []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.boxes[id]
	if b == nil {
		return nil
	}
	var missing []int
	for _, p.source = range ranks {
		if !b.has(p) {
			missing = append(missing, p.source)
		}
	}
	return missing
}
