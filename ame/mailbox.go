package ame

import (
	"fmt"
	"slices"
)

// AnySource and AnyTag match every source or tag in Recv.
const (
	AnySource = -1
	AnyTag    = -1
)

// Payload is the body of a message or of a collective, with a number that
// says how the layer above encoded it. ame gives Format no meaning.
type Payload struct {
	Format uint16
	Body   []byte
}

// Message is a received payload and where it came from.
type Message struct {
	Payload
	Source int
	Tag    int
}

// pattern is what a receiver waits for. For a message kind is kindMessage;
// for a collective tag is the sequence number.
type pattern struct {
	kind   kind
	source int
	tag    int
	all    bool // on rank 0 in a barrier in memory: in vain if any rank has left
}

// arrival is a message, or a rank's part in a collective, that has come in.
type arrival struct {
	kind kind
	Message
}

func (p pattern) matches(a *arrival) bool {
	if p.kind.collective() != a.kind.collective() {
		return false
	}
	return (p.source == a.Source || p.source == AnySource) && (p.tag == a.Tag || p.tag == AnyTag)
}

// receiver is a call that waits for an arrival. done gets one value.
type receiver struct {
	pattern
	done chan outcome
	link *link // over which alone the arrival can come; nil if over several
}

// finish gives r its outcome. The caller has taken r out of its mailbox.
func (r *receiver) finish(out outcome) { r.done <- out }

type outcome struct {
	arrival *arrival
	err     error
}

// mailbox holds what has arrived for one communicator and who waits for it.
// The job's mutex guards it.
type mailbox struct {
	unexpected []*arrival  // in order of arrival
	waiting    []*receiver // in order of their calls
	waiters    *int        // in this mailbox and the others of the job
	round      rounds
}

// take removes and returns the first arrival that p matches, or nil.
func (b *mailbox) take(p pattern) *arrival {
	for i, a := range b.unexpected {
		if p.matches(a) {
			if i == 0 && len(b.unexpected) > 1 { // cheap however many wait behind
				b.unexpected[0] = nil
				b.unexpected = b.unexpected[1:]
			} else {
				b.unexpected = slices.Delete(b.unexpected, i, i+1)
			}
			return a
		}
	}
	return nil
}

// has says whether an arrival is kept that p matches.
func (b *mailbox) has(p pattern) bool {
	return slices.ContainsFunc(b.unexpected, p.matches)
}

// put hands a to the first receiver that it matches, or keeps it. It returns
// that receiver's link, not itself: once it has its outcome it may be reused.
func (b *mailbox) put(a *arrival) *link {
	for i, r := range b.waiting {
		if r.matches(a) {
			b.waiting = slices.Delete(b.waiting, i, i+1)
			*b.waiters--
			over := r.link
			r.finish(outcome{arrival: a})
			return over
		}
	}
	b.unexpected = append(b.unexpected, a)
	return nil
}

// wait adds r to the calls that wait.
func (b *mailbox) wait(r *receiver) {
	b.waiting = append(b.waiting, r)
	*b.waiters++
}

// drop removes r and says whether it was still waiting.
func (b *mailbox) drop(r *receiver) bool {
	i := slices.Index(b.waiting, r)
	if i < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	*b.waiters--
	return true
}

// refuse ends with err each waiting call that the condition holds for.
func (b *mailbox) refuse(cond func(*receiver) bool, err func(*receiver) error) {
	b.waiting = slices.DeleteFunc(b.waiting, func(r *receiver) bool {
		if !cond(r) {
			return false
		}
		*b.waiters--
		r.finish(outcome{err: err(r)})
		return true
	})
}

// rounds follows the sequence of collectives of one communicator on one rank,
// to find out when another rank is in a different one.
type rounds struct {
	seq     uint32               // of the last collective begun here; 0: none yet
	digest  uint32               // of the kinds of all of them
	history [32]kind             // kinds of the last ones, by seq modulo
	ahead   map[int]announcement // of ranks that wait in one not begun here
}

// announcement is what a kindWaiting frame says: its sender waits in this collective.
type announcement struct {
	seq  uint32
	kind kind
}

// begin starts the next collective here. It returns its sequence number, and
// a conflict if some rank is known to wait in another kind under that number.
func (b *mailbox) begin(k kind) (uint32, *conflict) {
	r := &b.round
	r.seq++
	r.digest = 31*r.digest + uint32(k)
	r.history[r.seq%uint32(len(r.history))] = k
	for rank, a := range r.ahead {
		if a.seq == r.seq {
			delete(r.ahead, rank)
			if a.kind != k {
				return r.seq, &conflict{rank: rank, theirs: a.kind, ours: k, seq: r.seq}
			}
		}
	}
	for _, a := range b.unexpected {
		if a.kind.collective() && uint32(a.Tag) == r.seq && a.kind != k {
			return r.seq, &conflict{rank: a.Source, theirs: a.kind, ours: k, seq: r.seq}
		}
	}
	return r.seq, nil
}

// check compares a collective that another rank is in with what this rank did
// under the same number. What is too long ago to be known counts as equal.
func (r *rounds) check(rank int, theirs announcement) *conflict {
	behind := int32(r.seq - theirs.seq)
	if behind < 0 || behind >= int32(len(r.history)) {
		return nil
	}
	ours := r.history[theirs.seq%uint32(len(r.history))]
	if ours == theirs.kind {
		return nil
	}
	return &conflict{rank: rank, theirs: theirs.kind, ours: ours, seq: theirs.seq}
}

// conflict is a mismatch of collectives as one rank finds it.
type conflict struct {
	rank         int // the other one
	theirs, ours kind
	seq          uint32
}

func (c *conflict) text(own int, comm uint32) string {
	return fmt.Sprintf("%v: rank %d is in %v, rank %d in %v (collective %d of communicator %d)",
		ErrMismatch, c.rank, c.theirs, own, c.ours, c.seq, comm)
}
