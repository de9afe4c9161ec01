package ame

import "fmt"

// unmet notices, on a rank that closes, that another one is in a collective
// which this rank has never entered. Who only sends in a collective, such as
// what a gather collects, ends it without an error then.
type unmet struct {
	ended map[commID]uint32 // the last collective of each communicator, when this rank closed; nil: after a loss or failure, or not yet
	first *arrival          // that nobody was ever going to take
}

// end takes note of where this rank is, if nothing but why has ended its calls.
// The caller holds the matcher's mu.
func (u *unmet) end(m *matcher, why *trouble) {
	if m.over != why {
		return
	}
	for _, b := range m.boxes {
		if b.loss != nil {
			return // the calls here have ended by that
		}
	}
	u.ended = map[commID]uint32{}
	for id, b := range m.boxes {
		u.ended[id] = b.rounds.seq
		for _, a := range b.unexpected {
			u.hear(id, a)
		}
	}
}

// hear takes note of what has come and was not taken. The caller holds the
// matcher's mu.
func (u *unmet) hear(id commID, a *arrival) {
	last, known := u.ended[id]
	if u.ended == nil || u.first != nil || a.kind != kindPart || !known && id != 0 {
		return
	}
	if int32(uint32(a.Tag)-last) > 0 {
		u.first = a
	}
}

// unmet returns an error if another rank is in a collective that this one has
// closed without.
func (j *job) unmet() error {
	j.matcher.mu.Lock()
	a := j.matcher.unmet.first
	j.matcher.mu.Unlock()
	if a == nil {
		return nil
	}
	return j.errorf("close", a.Source, fmt.Errorf("%w: it is in a %v that this rank has closed without", ErrMismatch, a.call.op))
}
