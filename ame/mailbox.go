package ame

import "slices"

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

// arrival is a message, or a rank's part in a collective, that has come in.
// Its source is a rank of the job, its tag in a collective the sequence number.
type arrival struct {
	kind    kind
	call    call  // of a part
	cost    int64 // of what takes credit, and of credit that is given back
	exposed bool  // the body of a part says where it lies
	dropped bool  // its communicator is closed
	excess  error // it is not kept, for its source has sent too much
	Message
}

// pattern is what a call waits for: a message, or a part.
type pattern struct {
	kind   kind
	op     op // of a part, and of credit for one
	source int
	tag    int  // of credit the kind of what it is for
	every  bool // in vain as soon as any rank of the group is gone
}

func (p pattern) matches(a *arrival) bool {
	return p.kind == a.kind && (p.source == a.Source || p.source == AnySource) && (p.tag == a.Tag || p.tag == AnyTag)
}

// opName names the call that waits for p.
func (p pattern) opName() string {
	switch {
	case p.op != 0:
		return p.op.String()
	case p.kind == kindCredit:
		return "send"
	}
	return "recv"
}

// trouble is why a call cannot do its work: about which rank of the job, -1 if
// about no single one, and what.
type trouble struct {
	peer int
	err  error
}

// gaveUp says whether it is that another rank's ctx has ended, or the like.
func (t *trouble) gaveUp() bool {
	f, ok := t.err.(*failure)
	return ok && f.reason == reasonGaveUp
}

// outcome is what a call that waits gets: one of the two.
type outcome struct {
	arrival *arrival
	trouble *trouble
}

// receiver is a call that waits for an arrival. done gets one value.
type receiver struct {
	pattern
	done   chan outcome
	via    *token // of the one link over which the arrival can come; nil if there are several
	asleep bool   // the call does not read from a link itself
}

// mailbox holds what has arrived for one communicator and who waits for it.
// The matcher's mutex guards it.
type mailbox struct {
	group      *group          // nil as long as this rank does not know the communicator
	creator    *unknown        // as long as group is nil: who has spoken here first, if it was another rank
	unexpected []*arrival      // in order of arrival
	held       map[purse]int64 // credit that unexpected takes; no zeros
	waiting    []*receiver     // in order of their calls
	exposures  map[int]int64   // how many in unexpected are of exposures, by source; no zeros
	rounds     rounds
	credit     map[purse]*arrival // that was given back, until a call wants it
	policy     lossPolicy
	trouble    *trouble // why no call works here any more
	loss       *trouble // of a rank of the group: why no collective does
	revoked    bool     // a rank has shrunk the communicator: nothing more is kept

	closed  map[int]*trouble // by rank: that it has closed the communicator
	dropped *trouble         // that of the first of them which has dropped a message of this rank
	askers  []int            // ranks that want to know when this one does
}

// take removes and returns the first arrival that p matches, or nil.
func (b *mailbox) take(p pattern) *arrival {
	if p.kind == kindCredit {
		from := purse{p.source, kind(p.tag)}
		a := b.credit[from]
		delete(b.credit, from)
		return a
	}
	for i, a := range b.unexpected {
		if p.matches(a) {
			if i == 0 && len(b.unexpected) > 1 { // cheap however many wait behind
				b.unexpected[0] = nil
				b.unexpected = b.unexpected[1:]
			} else {
				b.unexpected = slices.Delete(b.unexpected, i, i+1)
			}
			b.holds(a, -1)
			return a
		}
	}
	return nil
}

// has says whether an arrival is kept that p matches.
func (b *mailbox) has(p pattern) bool {
	return slices.ContainsFunc(b.unexpected, p.matches)
}

// claim removes and returns the first call that a is for. If there is none, a
// is kept.
func (b *mailbox) claim(a *arrival) *receiver {
	for i, r := range b.waiting {
		if r.matches(a) {
			b.waiting = slices.Delete(b.waiting, i, i+1)
			return r
		}
	}
	from := purse{a.Source, kind(a.Tag)}
	switch {
	case a.kind != kindCredit:
		b.unexpected = append(b.unexpected, a)
		b.holds(a, 1)
	case b.credit[from] != nil:
		b.credit[from].cost += a.cost
	case b.credit == nil:
		b.credit = map[purse]*arrival{from: a}
	default:
		b.credit[from] = a
	}
	return nil
}

// holds notes that a is kept, or with sign -1 that it no longer is.
func (b *mailbox) holds(a *arrival, sign int64) {
	if a.isOfExposure() {
		b.exposures = counted(b.exposures, a.Source, sign)
	} else if a.cost != 0 {
		b.held = counted(b.held, a.purse(), sign*a.cost)
	}
}

// counted adds to what counts has of a key, and forgets zeros.
func counted[K comparable](counts map[K]int64, of K, n int64) map[K]int64 {
	if counts == nil {
		counts = map[K]int64{}
	}
	if counts[of] += n; counts[of] == 0 {
		delete(counts, of)
	}
	return counts
}

// forget removes a call and says whether it was still waiting.
func (b *mailbox) forget(r *receiver) bool {
	i := slices.Index(b.waiting, r)
	if i < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	return true
}
