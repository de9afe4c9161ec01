package ame

import (
	"context"
	"fmt"

	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// dispatch handles one frame that has come over l. The token is that of
// matcher.deliver. An error ends the link.
func (j *job) dispatch(l link, h *header, body []byte) (*token, error) {
	if int64(h.source) >= int64(j.size) || int64(h.dest) >= int64(j.size) {
		return nil, fmt.Errorf("%v frame from rank %d to rank %d of %d", h.kind, h.source, h.dest, j.size)
	}
	if int(h.dest) != j.rank {
		return nil, j.relay(l, h, body)
	}
	if l.peer() != 0 && (h.kind == kindAsk || h.kind == kindAddresses || h.kind == kindResume) {
		return nil, fmt.Errorf("%v frame that rank 0 has not passed on", h.kind)
	}
	if h.kind.counts() {
		j.waits.got.Add(1)
	}
	switch h.kind {
	case kindMessage, kindPart:
		return j.deliver(h, body), nil
	case kindCredit:
		return j.credited(h, body)
	case kindFetched:
		return j.deliver(h, body), nil
	case kindWaiting:
		return nil, j.heard(h, body)
	case kindWhere:
		if h.call.op == 0 {
			j.sayIfClosed(h)
		} else {
			j.sayWhere(h)
		}
		return nil, nil
	case kindClosed:
		j.matcher.closedBy(h.comm, int(h.source), h.tag == closedDropped)
		return nil, nil
	case kindAsk:
		return nil, j.pairing.asked(int(h.source), body)
	case kindAddresses:
		return nil, j.pairing.hear(int(h.source), body)
	case kindSwitch:
		j.mesh.hears(int(h.source))
		return nil, nil
	case kindHeartbeat:
		return nil, j.alive(l, body)
	case kindResume:
		return nil, j.hearResume(int(h.source), body)
	case kindMemory:
		if int(h.source) != l.peer() {
			return nil, fmt.Errorf("memory frame of rank %d", h.source)
		}
		return nil, l.shares(body)
	case kindBye:
		if j.rank != 0 && l.peer() != 0 {
			j.pairLeft(l)
		} else {
			j.left(l.peer())
		}
		return nil, errDone
	case kindFail:
		f, err := parseFailure(body, j.size)
		if err == nil {
			j.failFrom(l, f)
		}
		return nil, err
	}
	if j.rank == 0 {
		switch h.kind {
		case kindShrink:
			return nil, j.wantsShrink(h, body)
		case kindStuck:
			j.stalls.hear(l.peer())
			return nil, nil
		case kindStanding:
			s, err := parseStanding(body)
			if err == nil {
				j.stalls.stands(l.peer(), s)
			}
			return nil, err
		}
	}
	if l.peer() == 0 {
		switch h.kind {
		case kindProbe:
			j.sayStanding()
			return nil, nil
		case kindRevoke:
			j.revoke(h.comm, int(h.source))
			return nil, nil
		case kindShrunk:
			j.isShrunk(h.comm, body)
			return nil, nil
		case kindLeft:
			if h.source == 0 {
				j.rootOnlyRelays()
			} else {
				j.left(int(h.source))
			}
			return nil, nil
		case kindLost:
			if text := printable.Text(string(body)); int(h.source) == j.rank {
				j.givenUp(l, text)
			} else {
				j.isLost(&failure{reason: reasonLost, peer: int(h.source), text: text})
			}
			return nil, nil
		}
	}
	return nil, fmt.Errorf("%v frame after start-up", h.kind)
}

// deliver gives a message or part for this rank to the matcher.
func (j *job) deliver(h *header, body []byte) *token {
	a := &arrival{kind: h.kind, call: h.call, Message: Message{
		Payload: Payload{Format: h.format, Body: body}, Source: int(h.source), Tag: int(h.tag),
	}}
	a.exposed = h.flags&flagExposed != 0
	if h.flags&flagCounted != 0 {
		a.cost = int64(h.length) + messageCost
	}
	via, c := j.matcher.deliver(h.comm, a)
	if a.excess != nil {
		j.fail(&failure{reason: reasonExcess, peer: a.Source, text: a.excess.Error()})
	}
	if a.dropped && a.cost > 0 {
		j.giveBack(h.comm, a.purse(), a.cost)
		if a.kind == kindMessage {
			j.sayClosed(h.comm, a.Source, closedDropped)
		}
	}
	if c != nil {
		j.mismatch(h.comm, c)
	}
	return via
}

// heard takes note of a rank that waits: in a collective, or for a message of
// this rank, whose bye will tell it when it waits in vain.
func (j *job) heard(h *header, body []byte) error {
	if h.call.op == 0 {
		return nil
	}
	theirs, err := parseAnnouncement(h, body)
	if err != nil {
		return err
	}
	if c := j.matcher.hear(h.comm, int(h.source), theirs); c != nil {
		j.mismatch(h.comm, c)
	}
	return nil
}

// relay sends on, from rank 0, a frame between two other ranks. It does not wait
// for the one that it is for.
func (j *job) relay(from link, h *header, body []byte) error {
	if j.rank != 0 || !h.kind.isRelayed() {
		return fmt.Errorf("%v frame for rank %d", h.kind, h.dest)
	}
	from.reading().keep()
	if h.kind == kindAsk || h.kind == kindAddresses {
		body = append(body, j.pairKeys.of(h.source, h.dest)...)
		h.length = uint64(len(body))
	}
	dest := int(h.dest)
	if h.kind == kindWaiting && h.call.op == 0 {
		// Answered in place of dest when that leaves.
		j.answerGone(from.peer(), dest, j.mesh.ask(from.peer(), dest))
		return nil
	}
	if gone := j.mesh.gone(dest); gone != nil {
		j.answerGone(from.peer(), dest, gone)
		return nil
	}
	j.lanes.add(&frame{header: *h, body: body})
	return nil
}

// sendOn writes a frame whose turn in its lane has come.
func (j *job) sendOn(f *frame) {
	select { // its welcome is the first frame that a rank gets
	case <-j.up:
	case <-j.hasFailed:
		return
	}
	l, gone := j.mesh.route(int(f.dest))
	if gone != nil {
		if f.kind.isRelayed() {
			j.answerGone(int(f.source), int(f.dest), gone)
		}
		return
	}
	// An error means that dest is lost; the pump of its link says so.
	_ = l.write(context.Background(), f.header, f.body)
}
