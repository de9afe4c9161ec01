package ame

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// A long part for a rank of the same node is not sent. Its source exposes it: it
// says where the part lies in its memory, and the dest copies it from there to
// where it wants it, once and without the source, where by a ring or a
// connection it would be copied two or three times:
//
//	source                  dest
//	part, exposed    --->   copies it
//	                 <---   fetched, or refused: then the part follows as it is
//
// The source waits for the answer, for the memory is its caller's. So it is never
// ahead of the dest by such parts, and they take no credit. When its wait ends
// early it breaks the seal of the exposure first, which the dest looks at last:
// what may have been changed while it was copied counts for nothing.

const (
	// exposedFrom is the shortest part that is exposed, in bytes. Below, the two
	// more wake-ups cost more than the copies. It is no shorter than parallelBody,
	// for who exposes waits, and must not keep others waiting.
	exposedFrom = parallelBody

	// exposedMost is the longest one: so much is allocated before it has come.
	exposedMost = 1 << 30
)

// exposure is where a part lies in the memory of its source.
type exposure struct {
	address, length uint64
	sealAt, seal    uint64 // as long as the seal lies at sealAt, the part lies at address
}

// exposureSize is the length in bytes of the wire form of an exposure.
const exposureSize = 4 * 8

func (e *exposure) appendTo(b []byte) []byte {
	for _, word := range []uint64{e.address, e.length, e.sealAt, e.seal} {
		b = binary.BigEndian.AppendUint64(b, word)
	}
	return b
}

func parseExposure(b []byte) (exposure, error) {
	if len(b) != exposureSize {
		return exposure{}, fmt.Errorf("exposed part of %d bytes, want %d", len(b), exposureSize)
	}
	word := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	e := exposure{word(0), word(1), word(2), word(3)}
	if e.length == 0 || e.length > exposedMost || e.seal == 0 {
		return exposure{}, fmt.Errorf("exposed part of %d bytes with seal %#x", e.length, e.seal)
	}
	return e, nil
}

// mayExpose says whether a part of some bytes for a rank of the job is exposed.
func (j *job) mayExpose(rank, length int) bool {
	return length >= exposedFrom && length <= exposedMost && !j.connectionsOnly && !j.oneProcess && !j.secluded.Load() &&
		sameNode(j.mesh.peer(j.rank), j.mesh.peer(rank))
}

// expose lets a rank of the job fetch body as this one's part and waits until it
// has. It returns false if the rank cannot, and nothing of this one in future:
// the part is still to be sent then.
func (c *Comm) expose(ctx context.Context, now *round, h header, rank int, body []byte) (fetched bool, err error) {
	seal := &atomic.Uint64{}
	var places runtime.Pinner // so that neither moves
	places.Pin(&body[0])
	places.Pin(seal)
	defer places.Unpin()
	e := exposure{
		address: addressOf(&body[0]), length: uint64(len(body)), sealAt: addressOf(seal), seal: freshSeal(),
	}
	seal.Store(e.seal)
	defer seal.Store(0)

	h.flags |= flagExposed
	if err := c.send(ctx, &h, rank, e.appendTo(nil)); err != nil {
		return false, err
	}
	answer, err := c.receive(ctx, pattern{kind: kindFetched, op: now.call.op, source: rank, tag: int(now.seq)}, now)
	if err != nil {
		return false, err
	}
	if answer.Format == fetchRefused {
		c.job.secluded.Store(true)
		return false, nil
	}
	return true, nil
}

func addressOf[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// freshSeal is a number that memory has nowhere by chance.
func freshSeal() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.NativeEndian.Uint64(b[:]) | 1
}

// What a rank says of a part that another one has exposed, as the format of its
// answer.
const (
	fetchDone    = 0
	fetchRefused = 1
)

// isOfExposure says whether a is an exposed part, or the answer to one.
func (a *arrival) isOfExposure() bool { return a.exposed || a.kind == kindFetched }

// answerFetch tells a rank of the job what has become of the part that it has
// exposed.
func (c *Comm) answerFetch(ctx context.Context, now *round, rank int, cannot error) error {
	h := header{kind: kindFetched, call: now.call, tag: now.seq, format: fetchDone}
	if cannot != nil {
		c.job.log.Debug("cannot read memory of another rank", "rank", c.job.rank, "peer", rank, "error", cannot)
		h.format = fetchRefused
	}
	return c.send(ctx, &h, rank, nil)
}

// fetch copies what a rank has exposed into into, if that has its length, else
// into memory of its own, and tells the rank. It returns false if it cannot: the
// part comes in another way then.
func (c *Comm) fetch(ctx context.Context, now *round, a *arrival, into []byte) (p Payload, fetched bool, err error) {
	e, cannot := c.job.exposed(a)
	if cannot == nil {
		if len(into) != e.length {
			into = c.job.spares.take(uint64(e.length))
		}
		cannot = e.read(0, into)
	}
	if cannot == nil {
		cannot = e.intact()
	}
	if err := c.answerFetch(ctx, now, a.Source, cannot); err != nil {
		return Payload{}, false, err
	}
	return Payload{Format: a.Format, Body: into}, cannot == nil, nil
}

// exposed is the part that a rank has exposed, or why this one cannot read it.
func (j *job) exposed(a *arrival) (*exposedPart, error) {
	e, err := parseExposure(a.Body)
	if err != nil {
		return nil, err
	}
	peer := j.mesh.peer(a.Source)
	if j.connectionsOnly || !sameNode(j.mesh.peer(j.rank), peer) {
		return nil, errors.New("this rank uses connections only")
	}
	p := &exposedPart{exposure: e, pid: peer.PID, length: int(e.length)}
	if err := p.intact(); err != nil {
		return nil, err
	}
	// A rank that lies about a length does not make this one allocate it.
	return p, p.read(p.length-1, make([]byte, 1))
}

// exposedPart is a part in the memory of another process.
type exposedPart struct {
	exposure
	pid    int
	length int
}

// read copies what lies at an offset into b.
func (p *exposedPart) read(offset int, b []byte) error {
	return readMemory(p.pid, p.address+uint64(offset), b)
}

// intact says whether all that has been read was the part.
func (p *exposedPart) intact() error {
	var seal [8]byte
	if err := readMemory(p.pid, p.sealAt, seal[:]); err != nil {
		return err
	}
	if binary.NativeEndian.Uint64(seal[:]) != p.seal {
		return errors.New("the seal is broken: it is another process, or its call has ended")
	}
	return nil
}
