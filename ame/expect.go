package ame

import "context"

// Expected is a Recv that has been begun.
type Expected struct {
	comm *Comm
	pattern
	arrival  *arrival  // that was here already
	receiver *receiver // else
}

// Expect begins a Recv without waiting: of several Recvs and Expects that a
// message matches, the one that was called first gets it. It must be ended by
// one call of Wait.
func (c *Comm) Expect(source, tag int) (*Expected, error) {
	p, err := c.patternOf(source, tag)
	if err != nil {
		return nil, err
	}
	j := c.job
	a, r, t := j.matcher.expect(c.id, p, nil, true) // it sleeps only in Wait
	if t != nil {
		return nil, j.report(p.opName(), t)
	}
	return &Expected{comm: c, pattern: p, arrival: a, receiver: r}, nil
}

// Wait ends what Expect has begun and returns what Recv would. When ctx ends
// before a message is here, none is taken.
func (e *Expected) Wait(ctx context.Context) (Message, error) {
	a := e.arrival
	if a == nil {
		j := e.comm.job
		j.matcher.sleep(e.receiver)
		if j.matcher.sleepers.Load() > 0 {
			j.recall()
		}
		var err error
		if a, err = e.comm.outcome(ctx, e.receiver, nil); err != nil {
			return Message{}, err
		}
	}
	return e.comm.messageOf(a)
}
