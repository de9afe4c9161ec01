package ame

import (
	"sync"
)

// mesh is which ranks there are, how to reach them, and who is gone. It does
// no I/O: it is told of links and losses, and asked for routes.
//
// It begins as a star. Every rank but 0 has a link to rank 0, which relays what
// two others send each other. A pair of others may get a link of its own.
type mesh struct {
	self, size int
	pairs      bool // this rank makes links to others than rank 0

	mu      sync.Mutex
	known   []Peer          // by rank, complete once the job is up
	members map[int]*member // by rank, as far as this rank has to do with them
	askers  map[int][]int   // on rank 0: by rank, who wants to know when it is gone
	losses  chan struct{}   // closed, and made anew, with each lost rank
	up      int             // other ranks that are not gone
	few     chan struct{}   // closed when at most one is up
	root    *trouble        // why rank 0 takes nothing for itself; nil while it does
	closed  bool            // no link is taken any more
}

// member is another rank of the job as this one deals with it.
type member struct {
	link    link          // to it; nil: none
	opening bool          // one is being made, by this rank or the other one
	tried   bool          // this rank has tried to make one
	resume  *uint64       // how many frames the rank has got over it, of a link that has ended
	comes   chan struct{} // closed when frames from it come over link; till then by way of rank 0
	gone    *trouble      // why it takes and sends nothing more; nil while it is up
	left    chan struct{} // closed when gone is set

	// sending is held while a body is on its way to the rank, so that
	// no two bodies mix and none is split between two routes.
	sending lock
}

func newMesh(self, size int) *mesh {
	m := &mesh{
		self: self, size: size, known: make([]Peer, size), members: map[int]*member{},
		askers: map[int][]int{}, losses: make(chan struct{}), up: size - 1, few: make(chan struct{}),
	}
	if m.up <= 1 {
		close(m.few)
	}
	return m
}

// member returns what this rank has of another one. The caller holds mu.
func (m *mesh) member(rank int) *member {
	p := m.members[rank]
	if p == nil {
		p = &member{sending: newLock(), comes: make(chan struct{}), left: make(chan struct{})}
		m.members[rank] = p
	}
	return p
}

// seen is member for a look: a rank that this one has not had to do with is not
// remembered for it. The caller holds mu.
func (m *mesh) seen(rank int) member {
	if p := m.members[rank]; p != nil {
		return *p
	}
	return member{}
}

// describe sets what is known of a rank.
func (m *mesh) describe(rank int, p Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[rank] = p
}

// setDirectory sets what is known of all ranks, in rank order.
func (m *mesh) setDirectory(known []Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = known
}

// directory returns what is known of all ranks, in rank order. Once the job is
// up it does not change.
func (m *mesh) directory() []Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known
}

// peer returns what is known of a rank.
func (m *mesh) peer(rank int) Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[rank]
}

// host returns the name of the node of a rank, "" if unknown.
func (m *mesh) host(rank int) string {
	if rank < 0 {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known[rank].host()
}

// connect takes a link to its rank, which is the route from then on. For a
// link between two others than rank 0, the caller holds what member.sending
// stands for. It returns false, and does not take the link, if there is one, if
// the rank is gone, or after close.
func (m *mesh) connect(l link) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.member(l.peer())
	if m.closed || p.link != nil || p.gone != nil {
		return false
	}
	p.link, p.opening = l, false
	if m.self == 0 || l.peer() == 0 {
		close(p.comes)
	}
	return true
}

// route returns the link over which frames to a rank leave, or why there is none.
func (m *mesh) route(rank int) (link, *trouble) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, root := m.seen(rank), m.seen(0)
	switch {
	case p.gone != nil:
		return nil, p.gone
	case rank == 0 && m.root != nil:
		return nil, m.root
	case p.link != nil:
		return p.link, nil
	case root.gone != nil:
		return nil, root.gone
	case root.link == nil:
		return nil, &trouble{rank, ErrClosed}
	}
	return root.link, nil
}

// to returns the link to a rank, nil if there is none.
func (m *mesh) to(rank int) link {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen(rank).link
}

// only returns the link over which alone frames from a rank come, nil if there
// are none or several.
func (m *mesh) only(rank int) link {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.member(rank)
	switch {
	case rank == m.self:
		return nil
	case p.over() || m.self == 0:
		return p.link
	case p.opening || p.link != nil:
		return nil
	}
	return m.member(0).link
}

// over says whether frames from the member come over its link.
func (p *member) over() bool { return isClosed(p.comes) }

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// sending returns the lock of bodies to a rank, see member, and whether this
// rank is to make a link to it now, see wants.
func (m *mesh) sending(rank int) (sending lock, open bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.member(rank).sending, m.wants(rank)
}

// links returns all links.
func (m *mesh) links() []link {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []link
	for _, p := range m.members {
		if p.link != nil {
			all = append(all, p.link)
		}
	}
	return all
}

// ways returns the links of this rank's own pairs and those of the star.
func (m *mesh) ways() (own, star []link) {
	for _, l := range m.links() {
		if m.self == 0 || l.peer() == 0 {
			star = append(star, l)
		} else {
			own = append(own, l)
		}
	}
	return own, star
}

// close takes no further link.
func (m *mesh) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
}
