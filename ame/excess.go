package ame

import "fmt"

// What a rank can have this one keep. Credit bounds what is not received, and
// few communicators are being made at a time, so a rank that heeds the protocol
// comes to none of these bounds. One that does not ends the job.

const (
	// maxUnknown is on how many communicators a rank may speak before this one
	// knows them.
	maxUnknown = 256

	// unknownBound is how many bytes are kept for those, beside the frame that
	// comes to more.
	unknownBound = 256 << 20

	// maxExposures is how many exposed parts of a rank, and answers to those of this
	// one, are kept on a communicator. Who exposes waits for the answer.
	maxExposures = 256

	// maxAnswers is how many answers for each rank of the job may be on their way
	// from this one, on average.
	maxAnswers = 16
)

// answer is background for what tells a rank what it has asked for. One that asks
// without end, and does not read, gets no more.
func (j *job) answer(f func()) {
	if j.answers.Add(1) > int64(maxAnswers*max(j.size, 64)) {
		j.answers.Add(-1)
		return
	}
	if !j.background(func() {
		defer j.answers.Add(-1)
		f()
	}) {
		j.answers.Add(-1)
	}
}

// unknown is what one rank has sent on communicators that this one does not know.
type unknown struct {
	comms int
	bytes int64
}

// boxFrom is box for a frame of a rank of the job, which may be about a
// communicator that this one does not know yet. The caller holds mu.
func (m *matcher) boxFrom(id commID, rank int) (*mailbox, error) {
	if b := m.boxes[id]; b != nil {
		return b, nil
	}
	b := m.box(id)
	if b == nil {
		return nil, nil
	}
	u := m.unknownOf(rank)
	if u.comms >= maxUnknown {
		delete(m.boxes, id)
		return nil, fmt.Errorf("speaks on more than %d communicators that rank %d does not know", maxUnknown, m.self)
	}
	u.comms++
	b.creator = u
	return b, nil
}

func (m *matcher) unknownOf(rank int) *unknown {
	u := m.unknown[rank]
	if u == nil {
		u = &unknown{}
		m.unknown[rank] = u
	}
	return u
}

// excess says what keeps a from being kept, and else counts it. The caller holds
// mu.
func (m *matcher) excess(b *mailbox, a *arrival) error {
	switch {
	case a.cost > 0 && b.held[a.purse()] >= creditBound:
		return fmt.Errorf("has sent %d bytes and more that rank %d has not received, without credit for them", creditBound, m.self)
	case a.isOfExposure() && b.exposures[a.Source] >= maxExposures:
		return fmt.Errorf("has exposed more than %d parts to rank %d, or answered that it has fetched some, when nobody waits for that", maxExposures, m.self)
	case b.group != nil:
		return nil
	}
	u := m.unknownOf(a.Source)
	if u.bytes >= unknownBound {
		return fmt.Errorf("has sent %d bytes and more on communicators that rank %d does not know", unknownBound, m.self)
	}
	u.bytes += keptBytes(a)
	return nil
}

// learns takes back what has been counted for a communicator as long as this rank
// did not know it. The caller holds mu.
func (m *matcher) learns(b *mailbox) {
	if b.group != nil {
		return
	}
	if b.creator != nil {
		b.creator.comms--
		b.creator = nil
	}
	for _, a := range b.unexpected {
		m.unknownOf(a.Source).bytes -= keptBytes(a)
	}
}

// keptBytes is about what an arrival takes.
func keptBytes(a *arrival) int64 { return int64(len(a.Body)) + frameCost }
