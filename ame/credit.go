package ame

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
)

// Messages that nobody receives lie in the receiver's memory, because readers
// never stop. So each rank has a credit with every other one on a communicator,
// in bytes of messages that are not received. Send waits when it is used up, and
// the receiver gives it back as messages are received. What keeps itself within
// bounds needs no credit: collectives, and what is sent by Post.
const (
	// EagerLimit is how many bytes of messages a rank can Send to another one
	// on a communicator, without any of them being received, before Send waits.
	// Each message counts messageCost besides its body.
	EagerLimit = 16 << 20

	// messageCost is about what a message takes in memory besides its body.
	messageCost = 128

	// creditStep is how much is received before it is given back, in one frame.
	creditStep = EagerLimit / 4

	// creditBound is what may be on its way or unreceived, as far as the sender
	// knows, when another message leaves.
	creditBound = EagerLimit + creditStep
)

// credit is what the messages of a communicator have used up. The zero value is
// ready for use.
type credit struct {
	mu       sync.Mutex
	accounts map[int]*account // of what this rank has sent, by rank of the job
	owed     map[int]int64    // received and not yet given back, by rank of the job
}

// account is what one rank has sent to another one.
type account struct {
	turn chan struct{} // holds a value while a message is sent; guards used
	used int64         // bytes that are not given back
}

// account returns that of a rank.
func (c *credit) account(rank int) *account {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.accounts[rank]
	if a == nil {
		if c.accounts == nil {
			c.accounts = map[int]*account{}
		}
		a = &account{turn: make(chan struct{}, 1)}
		c.accounts[rank] = a
	}
	return a
}

// receive notes what is received from a rank, and returns what is to be given
// back to it now.
func (c *credit) receive(rank int, cost int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	owed := c.owed[rank] + cost
	if owed >= creditStep {
		delete(c.owed, rank)
		return owed
	}
	if c.owed == nil {
		c.owed = map[int]int64{}
	}
	c.owed[rank] = owed
	return 0
}

// sendCounted sends a message when there is credit for it.
func (c *Comm) sendCounted(ctx context.Context, h *header, rank int, body []byte) error {
	a := c.credit.account(rank)
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return c.job.errorf(h.opName(), -1, context.Cause(ctx))
	}
	defer func() { <-a.turn }()
	for a.used >= creditBound {
		given, err := c.receive(ctx, pattern{kind: kindCredit, source: rank, tag: AnyTag}, nil)
		if err != nil {
			return err
		}
		a.used -= given.cost
	}
	if t := c.job.matcher.takes(c.id, rank); t != nil {
		return c.job.report(h.opName(), t)
	}
	h.flags |= flagCounted
	err := c.send(ctx, h, rank, body)
	if err == nil {
		a.used += int64(len(body)) + messageCost
	}
	return err
}

// received gives credit back to the sender of a message that a call has got.
func (c *Comm) received(a *arrival) {
	if a.cost > 0 {
		if back := c.credit.receive(a.Source, a.cost); back > 0 {
			c.job.giveBack(c.id, a.Source, back)
		}
	}
}

// giveBack lets a rank send again on a communicator. Nobody waits for that: a
// call that receives may be cancelled, and who reads must go on.
func (j *job) giveBack(id commID, rank int, cost int64) {
	h := header{kind: kindCredit, comm: id, source: uint32(j.rank), dest: uint32(rank), length: 8}
	j.background(func() {
		// An error means that the rank, or the job, has come to its end.
		_, _, _ = j.put(context.Background(), &h, rank, binary.BigEndian.AppendUint64(nil, uint64(cost)))
	})
}

// credited takes what another rank gives back.
func (j *job) credited(h *header, body []byte) (*token, error) {
	if len(body) != 8 || binary.BigEndian.Uint64(body) > maxBody {
		return nil, fmt.Errorf("%v frame of %x", h.kind, body[:min(len(body), 8)])
	}
	via, _ := j.matcher.deliver(h.comm, &arrival{
		kind: kindCredit, cost: int64(binary.BigEndian.Uint64(body)), Message: Message{Source: int(h.source)},
	})
	return via, nil
}
