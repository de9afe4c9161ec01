package ame

import "fmt"

// rounds follows the sequence of collectives of one communicator on one rank,
// to find out when another rank is in a different one.
type rounds struct {
	seq   uint32               // of the last collective begun here; 0: none yet
	past  [32]round            // the last ones, by seq modulo
	ahead map[int]announcement // by rank of the job: what it waits in and has not begun here
	asked map[int]chan string  // by rank of the job: gets the text of its next announcement; see whereIs
}

// round is a collective as this rank has entered it.
type round struct {
	seq    uint32
	call   call
	digest uint32   // of this collective and all before it
	where  callSite // from where it was called
}

// announcement is what a rank that waits in a collective says of it.
type announcement struct {
	seq    uint32
	call   call
	digest uint32 // as of round; 0: not said
	text   string // name and source line; "" if not said
}

// at returns the round of a sequence number, ok == false if it is not begun,
// or too long ago.
func (r *rounds) at(seq uint32) (*round, bool) {
	behind := int32(r.seq - seq)
	if behind < 0 || behind >= int32(len(r.past)) || seq == 0 {
		return nil, false
	}
	return &r.past[seq%uint32(len(r.past))], true
}

// begin starts the next collective here. where may be nil; see locate.
func (r *rounds) begin(c call, where *callSite) *round {
	before := r.past[r.seq%uint32(len(r.past))].digest
	r.seq++
	now := &r.past[r.seq%uint32(len(r.past))]
	now.seq, now.call, now.digest = r.seq, c, c.next(before)
	now.where = callSite{}
	if where != nil {
		now.where = *where
	}
	return now
}

// check compares a collective that another rank is in with what this rank did
// under the same number. What is too long ago to be known counts as equal.
func (r *rounds) check(rank int, theirs announcement) *conflict {
	ours, ok := r.at(theirs.seq)
	if !ok || ours.call == theirs.call && (theirs.digest == 0 || theirs.digest == ours.digest) {
		return nil
	}
	return &conflict{
		rank: rank, theirs: theirs,
		other: -1, ours: announcement{seq: ours.seq, call: ours.call, digest: ours.digest, text: ours.where.text(ours.call)},
	}
}

// hear is check for a rank that waits. What this rank has not begun yet is
// compared with what other ranks wait in, and kept.
func (r *rounds) hear(rank int, theirs announcement) *conflict {
	if answer := r.asked[rank]; answer != nil {
		delete(r.asked, rank)
		answer <- theirs.text
	}
	if c := r.check(rank, theirs); c != nil {
		return c
	}
	if int32(theirs.seq-r.seq) <= 0 {
		return nil
	}
	for other, a := range r.ahead {
		if other != rank && a.seq == theirs.seq && (a.call != theirs.call || a.digest != theirs.digest) {
			return &conflict{rank: rank, theirs: theirs, other: other, ours: a}
		}
	}
	if r.ahead == nil {
		r.ahead = map[int]announcement{}
	}
	r.ahead[rank] = theirs
	return nil
}

// due returns a conflict of the round that has just begun with what is known
// of other ranks.
func (b *mailbox) due() *conflict {
	for rank, a := range b.rounds.ahead {
		if a.seq == b.rounds.seq {
			delete(b.rounds.ahead, rank)
			if c := b.rounds.check(rank, a); c != nil {
				return c
			}
		}
	}
	for _, a := range b.unexpected {
		if a.kind == kindPart && uint32(a.Tag) == b.rounds.seq {
			if c := b.rounds.check(a.Source, announcement{seq: uint32(a.Tag), call: a.call}); c != nil {
				return c
			}
		}
	}
	return nil
}

// conflict is a mismatch of collectives as one rank finds it.
type conflict struct {
	rank   int // of the job
	theirs announcement
	other  int // -1: this rank
	ours   announcement
}

// text says who is where. own is this rank.
func (c *conflict) text(own int, id commID) string {
	other := c.other
	if other < 0 {
		other = own
	}
	past := ""
	if c.theirs.call == c.ours.call {
		past = ", and were in different ones before"
	}
	sameOp := c.theirs.call.op == c.ours.call.op && c.theirs.call.use == c.ours.call.use
	return fmt.Sprintf("%v: rank %d is in %s, rank %d in %s%s (collective %d of communicator %v)",
		ErrMismatch, c.rank, c.theirs.say(sameOp), other, c.ours.say(sameOp), past, c.theirs.seq, id)
}

// say names the collective, with its root if that is what differs.
func (a *announcement) say(root bool) string {
	text := a.text
	if text == "" {
		text = a.call.op.String()
	}
	if root {
		text += fmt.Sprintf(" with root %d", a.call.root)
	}
	return text
}

// begin starts the next collective of a communicator on this rank, and returns
// its round, which nobody changes until it has ended, but for locate. The
// conflict, if any, is with a rank that is known to be in another one.
func (m *matcher) begin(id commID, c call, where *callSite) (*round, *trouble, *conflict) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, t := m.usableBox(id)
	if t == nil {
		t = b.loss
	}
	if t != nil {
		return nil, t, nil
	}
	return b.rounds.begin(c, where), nil, b.due()
}

// round returns a collective that this rank has entered, ok == false if it has
// not, or too long ago.
func (m *matcher) round(id commID, seq uint32) (now round, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.boxes[id]; b != nil {
		if found, ok := b.rounds.at(seq); ok {
			return *found, true
		}
	}
	return round{}, false
}

// hear takes note of a rank that waits in a collective.
func (m *matcher) hear(id commID, rank int, theirs announcement) *conflict {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, _ := m.boxFrom(id, rank) // of what is too much, nothing is lost by silence
	if b == nil {
		return nil
	}
	return b.rounds.hear(rank, theirs)
}

// ask returns what gets the text of the next announcement of a rank, at most one.
func (m *matcher) ask(id commID, rank int) <-chan string {
	m.mu.Lock()
	defer m.mu.Unlock()
	answer := make(chan string, 1)
	if b := m.box(id); b != nil {
		if b.rounds.asked == nil {
			b.rounds.asked = map[int]chan string{}
		}
		b.rounds.asked[rank] = answer
	}
	return answer
}

// locate notes from where a collective was called that was entered without
// that, because it cost too much.
func (m *matcher) locate(id commID, seq uint32) {
	where := here(Call{})
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.boxes[id]; b != nil {
		if now, ok := b.rounds.at(seq); ok {
			now.where = where
		}
	}
}
