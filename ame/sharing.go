package ame

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
)

// Two processes of one node whose link is busy go on in memory. The lower rank
// makes it and offers it; the other one opens it, or says that it cannot. Each
// says by the connection from where on its frames come through memory, in a
// frame behind which it sends no other there:
//
//	lower rank            higher rank
//	offer        --->     opens the memory
//	             <---     accept, and what it sends from now on is in memory
//	begin        --->     and so is what the lower rank sends
//
// Where it does not come to that, the connection stays the way.
const (
	sharingOffer   = 1 // behind it a record, see memoryOffer
	sharingAccept  = 2
	sharingDecline = 3
	sharingBegin   = 4
)

const (
	// sharingFrames is how many frames make a link a busy one.
	sharingFrames = 16

	// maxSharing bounds how many links of a process are in memory.
	maxSharing = 64
)

// sharing is what a link knows about memory that both ends have.
type sharing struct {
	job    *job
	frames atomic.Int32           // that have crossed the link, until it is busy
	offers bool                   // this end offers
	made   atomic.Pointer[region] // what this end has offered
	heard  bool                   // an offer of the other end. The holder of the token's
}

// crossed counts a frame. When it makes the link a busy one, and it is for this
// end to offer memory, it does so.
func (s *stream) crossed() {
	if s.sharing.job == nil || s.sharing.frames.Load() > sharingFrames {
		return
	}
	if s.sharing.frames.Add(1) == sharingFrames && s.sharing.offers {
		s.sharing.job.background(s.offer)
	}
}

// mayShare lets the link go over to memory if both ends are processes of one
// node. It is called before anybody uses the link. A rank that wants connections
// only offers nothing, and declines what is offered: the other end may not know.
func (j *job) mayShare(s *stream) {
	own, other := j.mesh.peer(j.rank), j.mesh.peer(s.rank)
	if !sameNode(own, other) || own.PID == other.PID {
		return
	}
	s.sharing.job, s.sharing.offers = j, j.rank < s.rank && !j.connectionsOnly
}

// offer makes memory and offers it to the other end.
func (s *stream) offer() {
	j := s.sharing.job
	if j.sharing.Add(1) > maxSharing {
		j.sharing.Add(-1)
		return
	}
	r, o, err := newRegion(ringsLength(j.ringSize()))
	if err != nil {
		j.sharing.Add(-1)
		j.log.Debug("no memory for a link", "rank", j.rank, "peer", s.rank, "error", err)
		return
	}
	s.sharing.made.Store(r)
	if !s.share(sharingOffer, o.appendTo(nil), nil) {
		s.takeBack()
	}
}

// shares takes what the other end says about memory. The caller holds the token.
func (s *stream) shares(body []byte) error {
	j := s.sharing.job
	if j == nil || len(body) == 0 {
		return errors.New("memory frame on a link that has none")
	}
	stage, more := body[0], body[1:]
	switch {
	case stage == sharingOffer && s.rank < j.rank && !s.sharing.heard:
		s.sharing.heard = true
		o, ok := parseOffer(more)
		if !ok {
			return errors.New("memory frame without an offer")
		}
		r, err := j.openOffered(s.rank, o)
		if err != nil {
			j.log.Debug("declines memory for a link", "rank", j.rank, "peer", s.rank, "error", err)
			j.background(func() { s.share(sharingDecline, nil, nil) })
			return nil
		}
		c := s.ringsIn(r, false)
		s.memory.Store(c)
		j.background(func() { s.share(sharingAccept, nil, c) })
	case stage == sharingAccept && s.sharing.offers && s.memory.Load() == nil:
		r := s.sharing.made.Swap(nil)
		if r == nil {
			return errors.New("memory accepted that was not offered")
		}
		r.close()
		c := s.ringsIn(r, true)
		s.memory.Store(c)
		s.readFrom(c)
		j.background(func() { s.share(sharingBegin, nil, c) })
	case stage == sharingDecline && s.sharing.made.Load() != nil:
		s.takeBack()
	case stage == sharingBegin && !s.sharing.offers && s.memory.Load() != nil && s.in == s.conn:
		s.readFrom(s.memory.Load())
	default:
		return fmt.Errorf("memory frame of stage %d out of turn", stage)
	}
	return nil
}

// openOffered opens memory that a rank offers, if this one wants it and has not
// too much yet.
func (j *job) openOffered(rank int, o memoryOffer) (*region, error) {
	if j.connectionsOnly {
		return nil, errors.New("this rank uses connections only")
	}
	if j.sharing.Add(1) > maxSharing {
		j.sharing.Add(-1)
		return nil, fmt.Errorf("%d links are in memory already", maxSharing)
	}
	r, err := openRegion(j.mesh.peer(rank).PID, o, ringsLength(j.ringSize()))
	if err != nil {
		j.sharing.Add(-1)
	}
	return r, err
}

// takeBack gives memory back that was offered and is not used. It may be called
// by who closes the link while the offer is on its way.
func (s *stream) takeBack() {
	if r := s.sharing.made.Swap(nil); r != nil {
		r.close()
		r.unmap()
		s.sharing.job.sharing.Add(-1)
	}
}

// share writes a frame about memory, behind which frames leave by way of next,
// unless that is nil. It returns false if the link is broken, which its reader
// finds out.
func (s *stream) share(stage byte, record []byte, next *ringConn) bool {
	body := append([]byte{stage}, record...)
	h := header{
		kind: kindMemory, source: uint32(s.sharing.job.rank), dest: uint32(s.rank), length: uint64(len(body)),
	}
	s.writing <- struct{}{}
	defer s.writing.release()
	if s.broken == nil {
		_, s.broken = s.put(context.Background(), h, body)
	}
	if s.broken == nil && next != nil {
		s.out = next
	}
	return s.broken == nil
}

// readFrom makes c where frames come from. Behind the frame that says so, the
// connection carries none.
func (s *stream) readFrom(c *ringConn) {
	c.SetReadDeadline(s.deadline)
	s.in = c
	s.signs.Conn = c
	s.frames.from.Reset(s.signs)
	s.sharing.job.log.Debug("link in memory", "rank", s.sharing.job.rank, "peer", s.rank)
}

// ringsIn makes the way through a region, whose first ring carries what the
// lower rank sends. The region is given back when nobody uses it any more.
func (s *stream) ringsIn(r *region, lower bool) *ringConn {
	first, second := ringsOf(r.bytes)
	in, out := second, first
	if !lower {
		in, out = first, second
	}
	c := newRingConn(s.conn, in, out, s.sharing.job.lookout(), s.token.recall)
	runtime.AddCleanup(c, func(r *region) { r.unmap() }, r)
	return c
}

// lookout returns the one for processes of this node.
func (j *job) lookout() lookout { return processLookout(j.neighbours()) }

// ringSize is that of each link of a rank of this node.
func (j *job) ringSize() int { return ringSizeFor(j.neighbours()) }

// neighbours is how many ranks run on this node, this one among them.
func (j *job) neighbours() (ranks int) {
	own := j.mesh.peer(j.rank)
	for _, p := range j.mesh.directory() {
		if sameNode(p, own) {
			ranks++
		}
	}
	return ranks
}
