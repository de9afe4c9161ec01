package ame

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeLink is a link that leads nowhere; its value is the rank at its end.
type fakeLink int

func (l fakeLink) peer() int                                 { return int(l) }
func (fakeLink) bodiesMayChange()                            {}
func (fakeLink) write(context.Context, header, []byte) error { return nil }
func (fakeLink) reading() *token                             { return nil }
func (fakeLink) read() (header, []byte, error)               { return header{}, nil, nil }
func (fakeLink) readFor(time.Duration)                       {}
func (fakeLink) idle(context.Context) error                  { return nil }
func (fakeLink) closeWrite()                                 {}
func (fakeLink) close()                                      {}
func (fakeLink) dismiss(func(func()), header, []byte)        {}
func (fakeLink) sign() bool                                  { return false }
func (fakeLink) quiet() bool                                 { return true }
func (fakeLink) over() chan struct{}                         { return nil }
func (fakeLink) shares([]byte) error                         { return nil }

// routes are the links over which a mesh sends to each rank, -1 for none.
func routes(m *mesh) []int {
	var to []int
	for rank := range m.size {
		if rank == m.self {
			continue
		}
		l, gone := m.route(rank)
		if gone != nil {
			to = append(to, -1)
		} else {
			to = append(to, l.peer())
		}
	}
	return to
}

func TestStar(t *testing.T) {
	root := newMesh(0, 4)
	for _, rank := range []int{2, 1, 3} {
		assert.True(t, root.connect(fakeLink(rank)))
		assert.False(t, root.connect(fakeLink(rank)), "one link to each")
	}
	assert.Equal(t, []int{1, 2, 3}, routes(root))
	assert.Len(t, root.links(), 3)

	other := newMesh(2, 4)
	assert.Equal(t, []int{-1, -1, -1}, routes(other))
	assert.True(t, other.connect(fakeLink(0)))
	assert.Equal(t, []int{0, 0, 0}, routes(other), "by way of rank 0")
	for source, want := range []link{fakeLink(0), fakeLink(0), nil, fakeLink(0)} {
		assert.Equal(t, want, other.only(source), "from %d", source)
	}
}

// A pair's own link is the route as soon as there is one. Frames of the other
// rank come over it from the moment that it says so.
func TestPair(t *testing.T) {
	m := newMesh(2, 5)
	assert.False(t, wants(m, 3), "does not make links")
	m.pairs = true
	require.True(t, m.connect(fakeLink(0)))
	assert.True(t, wants(m, 3))
	assert.False(t, wants(m, 3), "once")
	assert.False(t, wants(m, 2), "itself")
	assert.False(t, wants(m, 0), "has one from the start")
	assert.Nil(t, m.only(3), "may come by the one being made")
	require.True(t, m.connect(fakeLink(3)))
	assert.Equal(t, []int{0, 0, 3, 0}, routes(m))
	assert.Nil(t, m.only(3))
	m.hears(3)
	m.hears(3)
	assert.Equal(t, fakeLink(3), m.only(3))

	assert.True(t, wants(m, 4))
	m.givesUp(4)
	assert.False(t, wants(m, 4), "tried in vain")
	assert.Equal(t, fakeLink(0), m.only(4))
	assert.True(t, m.takes(4), "but the other one may come")

	_, first := m.leave(0, &trouble{0, ErrLeft})
	assert.True(t, first)
	assert.Equal(t, []int{-1, -1, 3, -1}, routes(m), "needs no rank 0")
}

// Of two links that are being made at the same time, that of the lower rank counts.
func TestCrossing(t *testing.T) {
	low, high := newMesh(1, 3), newMesh(2, 3)
	low.pairs, high.pairs = true, true
	require.True(t, wants(low, 2))
	require.True(t, wants(high, 1))
	assert.False(t, low.takes(2))
	assert.True(t, high.takes(1))
	require.True(t, high.connect(fakeLink(1)))
	assert.False(t, high.takes(1), "has one")
}

func TestLeaving(t *testing.T) {
	m := newMesh(0, 4)
	for rank := 1; rank < 4; rank++ {
		m.connect(fakeLink(rank))
	}
	assert.Nil(t, m.ask(1, 2))
	assert.Nil(t, m.ask(3, 2))
	assert.Nil(t, m.ask(1, 2), "twice")
	assert.Nil(t, m.gone(2))
	bye := &trouble{2, ErrLeft}
	askers, first := m.leave(2, bye)
	assert.Equal(t, []int{1, 3}, askers)
	assert.True(t, first)
	askers, first = m.leave(2, &trouble{2, ErrLost})
	assert.Empty(t, askers)
	assert.False(t, first)
	assert.Same(t, bye, m.gone(2), "the first reason counts")
	assert.Same(t, bye, m.ask(1, 2))
	assert.Equal(t, []int{1, -1, 3}, routes(m))

	m.close()
	m = newMesh(0, 2)
	m.close()
	assert.False(t, m.connect(fakeLink(1)), "after close")
}

func TestMeshCountsLosses(t *testing.T) {
	m := newMesh(0, 5)
	g := groupOf(0, []int{4, 0, 2, 1})
	lost, more := m.lost(g)
	assert.Empty(t, lost)
	m.leave(1, &trouble{1, ErrLeft})
	select {
	case <-more:
		t.Error("rank 1 has only left")
	default:
	}
	m.leave(2, &trouble{2, ErrLost})
	<-more
	m.leave(4, &trouble{4, ErrLost})
	m.leave(3, &trouble{3, ErrLost})
	lost, _ = m.lost(g)
	assert.Equal(t, []int{0, 2}, lost, "their numbers in the group")
}

func TestDirectoryOfMesh(t *testing.T) {
	m := newMesh(1, 3)
	assert.Empty(t, m.host(0))
	assert.Empty(t, m.host(-1))
	m.describe(0, peerOn("a", 7))
	assert.Equal(t, "a", m.host(0))
	m.setDirectory([]Peer{peerOn("a", 7), peerOn("b", 8), peerOn("c", 9)})
	assert.Equal(t, "c", m.host(2))
	assert.Equal(t, 8, m.directory()[1].PID)
}

func wants(m *mesh, rank int) bool {
	_, open := m.sending(rank)
	return open
}
