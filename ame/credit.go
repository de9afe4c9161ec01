package ame

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
)

// What nobody receives lies in the receiver's memory, because readers never stop.
// So each rank has two credits with every other one on a communicator: one in bytes
// of messages that are not received, and one in bytes of its parts in collectives
// that the other one is not in yet. Who has used one up waits, and the receiver
// gives it back as it receives. They are two, for messages may be received behind a
// collective. What is sent by Post keeps itself within bounds and takes none.
const (
	// EagerLimit is how many bytes of messages a rank can Send to another one
	// on a communicator, without any of them being received, before Send waits, and
	// by how many bytes it can be ahead of it in collectives. Each message or part
	// counts messageCost besides its body.
	EagerLimit = 16 << 20

	// messageCost is about what a message takes in memory besides its body.
	messageCost = 128

	// creditStep is how much is received before it is given back, in one frame.
	creditStep = EagerLimit / 4

	// creditBound is what may be on its way or unreceived, as far as the sender
	// knows, when another message leaves.
	creditBound = EagerLimit + creditStep
)

// purse is one of a rank's credits with another one.
type purse struct {
	rank int  // of the job
	kind kind // of the frames that it pays for: kindMessage or kindPart
}

// credit is what has been used up on a communicator. The zero value is ready for
// use.
type credit struct {
	mu       sync.Mutex
	accounts map[purse]*account // of what this rank has sent
	owed     map[purse]int64    // received and not yet given back
}

// account is what one rank has sent to another one.
type account struct {
	turn lock  // held while a message is sent; guards used
	used int64 // bytes that are not given back
}

func (c *credit) account(p purse) *account {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.accounts[p]
	if a == nil {
		if c.accounts == nil {
			c.accounts = map[purse]*account{}
		}
		a = &account{turn: newLock()}
		c.accounts[p] = a
	}
	return a
}

// receive notes what is received, and returns what is to be given back now.
func (c *credit) receive(p purse, cost int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	owed := c.owed[p] + cost
	if owed >= creditStep {
		delete(c.owed, p)
		return owed
	}
	if c.owed == nil {
		c.owed = map[purse]int64{}
	}
	c.owed[p] = owed
	return 0
}

// sendCounted sends a message, or in the collective now a part, when there is
// credit for it. A part can wait for that without end only if a rank waits for
// ever in an earlier collective: the other rank takes all parts up to its own one.
func (c *Comm) sendCounted(ctx context.Context, now *round, h *header, rank int, body []byte) error {
	a := c.credit.account(purse{rank, h.kind})
	if a.turn.take(ctx) != nil {
		return c.job.errorf(h.opName(), -1, context.Cause(ctx))
	}
	defer a.turn.release()
	for a.used >= creditBound {
		given, err := c.receive(ctx, pattern{kind: kindCredit, op: h.call.op, source: rank, tag: int(h.kind)}, now)
		if err != nil {
			return err
		}
		a.used -= given.cost
	}
	if h.kind == kindMessage {
		if t := c.job.matcher.takes(c.id, rank); t != nil {
			return c.job.report(h.opName(), t)
		}
	}
	h.flags |= flagCounted
	err := c.send(ctx, h, rank, body)
	if err == nil {
		a.used += int64(len(body)) + messageCost
	}
	return err
}

// received gives credit back to the sender of what a call has got.
func (c *Comm) received(a *arrival) {
	if a.cost > 0 {
		if back := c.credit.receive(a.purse(), a.cost); back > 0 {
			c.job.giveBack(c.id, a.purse(), back)
		}
	}
}

// purse is the one that a has been paid from.
func (a *arrival) purse() purse { return purse{a.Source, a.kind} }

// giveBack lets a rank send again on a communicator. Nobody waits for that: a
// call that receives may be cancelled, and who reads must go on.
func (j *job) giveBack(id commID, p purse, cost int64) {
	h := header{kind: kindCredit, comm: id, source: uint32(j.rank), dest: uint32(p.rank), tag: uint32(p.kind), length: 8}
	j.background(func() {
		// An error means that the rank, or the job, has come to its end.
		_, _, _ = j.put(context.Background(), h, p.rank, binary.BigEndian.AppendUint64(nil, uint64(cost)))
	})
}

// credited takes what another rank gives back.
func (j *job) credited(h *header, body []byte) (*token, error) {
	if paid := kind(h.tag); paid != kindMessage && paid != kindPart || len(body) != 8 || binary.BigEndian.Uint64(body) > maxBody {
		return nil, fmt.Errorf("%v frame of %x", h.kind, body[:min(len(body), 8)])
	}
	via, _ := j.matcher.deliver(h.comm, &arrival{
		kind: kindCredit, cost: int64(binary.BigEndian.Uint64(body)), Message: Message{Source: int(h.source), Tag: int(h.tag)},
	})
	return via, nil
}
