package ame

import (
	"errors"
	"slices"
)

// What the mesh knows of ranks that take and send nothing more, and who wants to
// hear of them.

// leave notes why a rank takes and sends nothing more. Only the first reason
// counts; first says whether this was it. On rank 0 it returns who has asked
// to be told.
func (m *mesh) leave(rank int, t *trouble) (askers []int, first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.member(rank)
	if p.gone != nil {
		return nil, false
	}
	p.gone = t
	close(p.left)
	if m.up--; m.up == 1 {
		close(m.few)
	}
	if errors.Is(t.err, ErrLost) {
		close(m.losses)
		m.losses = make(chan struct{})
	}
	askers = m.askers[rank]
	delete(m.askers, rank)
	return askers, true
}

// closeRoot notes why rank 0 takes nothing more for itself, and only relays.
func (m *mesh) closeRoot(t *trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.root = t
}

// gone returns why a rank takes and sends nothing more, nil while it is up.
func (m *mesh) gone(rank int) *trouble {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen(rank).gone
}

// lost returns the lost ranks of a group by their numbers in it, ascending, and
// what is closed when another rank is lost.
func (m *mesh) lost(g *group) (numbers []int, more <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for rank, p := range m.members {
		if number, ok := g.number(rank); ok && p.gone != nil && errors.Is(p.gone.err, ErrLost) {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, m.losses
}

// ask notes on rank 0 that a rank wants to know when another one is gone. If
// that has happened, it returns why.
func (m *mesh) ask(who, about int) *trouble {
	m.mu.Lock()
	defer m.mu.Unlock()
	if gone := m.seen(about).gone; gone != nil {
		return gone
	}
	if !slices.Contains(m.askers[about], who) {
		m.askers[about] = append(m.askers[about], who)
	}
	return nil
}

// left returns what is closed when a rank takes and sends nothing more.
func (m *mesh) left(rank int) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.member(rank).left
}
