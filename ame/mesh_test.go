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

func (l fakeLink) peer() int                                  { return int(l) }
func (fakeLink) write(context.Context, *header, []byte) error { return nil }
func (fakeLink) reading() *token                              { return nil }
func (fakeLink) read() (header, []byte, error)                { return header{}, nil, nil }
func (fakeLink) readFor(time.Duration)                        {}
func (fakeLink) idle(context.Context) error                   { return nil }
func (fakeLink) closeWrite()                                  {}
func (fakeLink) close()                                       {}
func (fakeLink) vanished() bool                               { return false }
func (fakeLink) over() chan struct{}                          { return nil }

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

// A pair's own link is the route only once it has been switched to, and frames
// of the pair may come in both ways from the moment that there are two.
func TestDirectLink(t *testing.T) {
	m := newMesh(2, 4)
	require.True(t, m.connect(fakeLink(0)))
	require.True(t, m.connect(fakeLink(3)))
	assert.Equal(t, []int{0, 0, 0}, routes(m))
	assert.Nil(t, m.only(3))
	m.switchTo(3)
	m.switchTo(1) // has no link
	assert.Equal(t, []int{0, 0, 3}, routes(m))

	_, first := m.leave(0, &trouble{0, ErrLeft})
	assert.True(t, first)
	assert.Equal(t, []int{-1, -1, 3}, routes(m), "needs no rank 0")
	m.disconnect(fakeLink(3))
	assert.Equal(t, []int{-1, -1, -1}, routes(m))
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
