package ame

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// MaxTag is the largest tag of a message.
const MaxTag = math.MaxInt32

// announceAfter is how long a call waits for another rank before it says so.
// The announcement costs nothing in a healthy job and lets rank 0 find ranks
// that wait for something that will never come.
const announceAfter = 200 * time.Millisecond

// Comm is a communicator: the ranks of a job and a context that keeps its
// messages apart from those of every other communicator. Its methods may be
// called from several goroutines, but collectives must be called in the same
// order on all ranks, so one at a time.
type Comm struct {
	job  *job
	id   uint32
	once sync.Once

	shared  *sharedBarrier // nil until a Barrier by messages has found it
	flushed uint64         // value of job.sent in the last Barrier in memory
}

// Rank returns this process's rank, 0 .. Size-1.
func (c *Comm) Rank() int { return c.job.rank }

// Size returns the number of ranks.
func (c *Comm) Size() int { return c.job.size }

// Peers returns what is known of each rank, in rank order. The caller must
// not change it.
func (c *Comm) Peers() []Peer { return c.job.peers }

// Send sends p to rank dest with a tag from 0 to MaxTag. It returns when the
// kernel has taken the message, which says nothing about its receipt; the
// body may be changed then. Messages between two ranks on one communicator
// arrive in the order of their Sends. A message to this rank itself is
// delivered at once. When ctx ends in the middle of a message, the job fails
// on all ranks, because the connection is out of step.
func (c *Comm) Send(ctx context.Context, dest, tag int, p Payload) error {
	j := c.job
	if dest < 0 || dest >= j.size {
		return j.errorf("send", -1, fmt.Errorf("no rank %d in a job of %d", dest, j.size))
	}
	if tag < 0 || tag > MaxTag {
		return j.errorf("send", -1, fmt.Errorf("tag %d is not in 0..%d", tag, MaxTag))
	}
	h := header{kind: kindMessage, tag: uint32(tag), format: p.Format}
	return c.send(ctx, &h, dest, p.Body)
}

// send fills in the addresses of h and writes it towards dest.
func (c *Comm) send(ctx context.Context, h *header, dest int, body []byte) error {
	j := c.job
	h.comm, h.source, h.dest = c.id, uint32(j.rank), uint32(dest)
	op := "send"
	if h.kind != kindMessage {
		op = h.kind.String()
	}
	if err := ctx.Err(); err != nil {
		return j.errorf(op, -1, context.Cause(ctx))
	}
	j.mu.Lock()
	err := c.usable(op)
	if err == nil && j.left[dest] {
		err = j.errorf(op, dest, ErrLeft)
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	if dest == j.rank {
		h.length = uint64(len(body))
		j.deliver(nil, h, append([]byte(nil), body...))
		return nil
	}
	l := j.link(dest)
	if err := l.write(ctx, h, body); err != nil {
		return j.brokenWrite(ctx, op, l, err)
	}
	if h.kind == kindMessage {
		j.sent.Add(1)
	}
	return nil
}

// lastWords is how long a call whose write has failed waits for the reader of
// the link, which may find there why the other end has closed it.
const lastWords = time.Second

// brokenWrite turns the error of an unfinished write into what the caller is
// told, and the job with it.
func (j *job) brokenWrite(ctx context.Context, op string, l *link, err error) error {
	if u := (unsent{}); errors.As(err, &u) {
		return j.errorf(op, -1, u.error)
	}
	if ctx.Err() != nil {
		j.fail(&failure{reason: reasonGaveUp, peer: j.rank, text: fmt.Sprintf("%s: %v", op, context.Cause(ctx))})
		l.conn.Close()
	} else {
		select {
		case <-l.over:
		case <-time.After(lastWords):
		}
	}
	j.mu.Lock()
	left := j.left[l.peer] && j.failed == nil
	j.mu.Unlock()
	if left {
		return j.errorf(op, l.peer, ErrLeft)
	}
	j.fail(&failure{reason: reasonLost, peer: l.peer, text: lossText(err)}) // if no other reason is known
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.usable(op)
}

// usable is job.usable for this communicator. The caller holds the job's mutex.
func (c *Comm) usable(op string) error {
	if err := c.job.usable(op); err != nil {
		return err
	}
	if c.job.freed.has(c.id) {
		return c.job.errorf(op, -1, ErrClosed)
	}
	return nil
}

// Recv returns the first message, in order of arrival, from the given source
// and with the given tag; AnySource and AnyTag match all. It waits until
// there is one. The body is the caller's. A cancelled Recv takes nothing
// and harms nothing. Recv from a rank that is lost, or has closed, is an error
// once what it sent before is received; so is Recv from any other rank when
// rank 0 has closed, through which all messages come.
func (c *Comm) Recv(ctx context.Context, source, tag int) (Message, error) {
	j := c.job
	if source != AnySource && (source < 0 || source >= j.size) {
		return Message{}, j.errorf("recv", -1, fmt.Errorf("no rank %d in a job of %d", source, j.size))
	}
	if tag != AnyTag && (tag < 0 || tag > MaxTag) {
		return Message{}, j.errorf("recv", -1, fmt.Errorf("tag %d is not in 0..%d", tag, MaxTag))
	}
	a, err := c.receive(ctx, pattern{kind: kindMessage, source: source, tag: tag})
	if err != nil {
		return Message{}, err
	}
	return a.Message, nil
}

// receive waits for an arrival.
func (c *Comm) receive(ctx context.Context, p pattern) (*arrival, error) {
	j, op := c.job, opOf(p.kind)
	j.mu.Lock()
	b := j.box(c.id)
	if b != nil {
		if a := b.take(p); a != nil {
			j.mu.Unlock()
			return a, nil
		}
	}
	if err := c.usable(op); err != nil {
		j.mu.Unlock()
		return nil, err
	}
	if left, yes := j.inVain(p); yes {
		j.mu.Unlock()
		return nil, j.errorf(op, left, ErrLeft)
	}
	r, _ := j.receivers.Get().(*receiver)
	if r == nil {
		r = &receiver{done: make(chan outcome, 1)}
	}
	r.pattern, r.link = p, j.onlyLink(p.source)
	b.wait(r)
	j.mu.Unlock()

	j.readFor(r)
	out, err := c.await(ctx, b, r)
	j.receivers.Put(r)
	if err != nil {
		return nil, j.errorf(op, -1, err)
	}
	return out.arrival, out.err
}

// await blocks until r has its outcome or ctx ends.
func (c *Comm) await(ctx context.Context, b *mailbox, r *receiver) (outcome, error) {
	var late <-chan time.Time
	if c.announces(r) {
		timer := time.NewTimer(announceAfter)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case out := <-r.done:
			return out, nil
		case <-late:
			late = nil
			c.announce(ctx, r)
		case <-ctx.Done():
			c.job.mu.Lock()
			waiting := b.drop(r)
			c.job.mu.Unlock()
			if waiting {
				return outcome{}, context.Cause(ctx)
			}
			return <-r.done, nil // it came at the same moment
		}
	}
}

// announces says whether rank 0 should hear of a long wait: of one in a
// collective, and of one for another rank that could leave unnoticed.
func (c *Comm) announces(r *receiver) bool {
	return c.job.rank != 0 && (r.kind.collective() || r.source > 0)
}

func (c *Comm) announce(ctx context.Context, r *receiver) {
	h := header{kind: kindWaiting, root: uint32(r.kind)}
	dest := r.source
	if r.kind.collective() {
		h.tag, dest = uint32(r.tag), 0
	}
	// Whatever keeps this from being sent also ends the wait.
	_ = c.send(ctx, &h, dest, nil)
}

// Dup returns a new communicator of the same ranks, whose messages and
// collectives never meet those of c. All ranks must call it, in the same
// order as their other collectives on c.
func (c *Comm) Dup(ctx context.Context) (*Comm, error) {
	var body []byte
	if c.job.rank == 0 {
		c.job.mu.Lock()
		c.job.lastComm++
		body = binary.BigEndian.AppendUint32(nil, c.job.lastComm)
		c.job.mu.Unlock()
	}
	p, err := c.bcast(ctx, kindDup, Payload{Body: body})
	if err != nil {
		return nil, err
	}
	if len(p.Body) != 4 {
		return nil, c.job.errorf("dup", 0, fmt.Errorf("got %d bytes, want 4", len(p.Body)))
	}
	return &Comm{job: c.job, id: binary.BigEndian.Uint32(p.Body)}, nil
}

// Close ends the communicator on this rank; other ranks need not call it at
// the same time. Calls that wait on it end with ErrClosed. Closing the one
// that Connect returned ends the job's connections, after all that was sent
// has been taken. A second Close does nothing.
func (c *Comm) Close() error {
	if c.id == 0 {
		c.job.close()
		return nil
	}
	c.once.Do(func() {
		j := c.job
		j.mu.Lock()
		defer j.mu.Unlock()
		if b := j.boxes[c.id]; b != nil {
			b.refuse(
				func(*receiver) bool { return true },
				func(r *receiver) error { return j.errorf(opOf(r.kind), -1, ErrClosed) })
		}
		delete(j.boxes, c.id)
		j.freed.add(c.id)
	})
	return nil
}

// Abort makes every waiting and every later call on all ranks fail with an
// error that names this rank and the cause. It returns when the ranks that
// this one is connected to have been told, after a second at the latest. It
// does not end the process.
func (c *Comm) Abort(cause error) {
	if cause == nil {
		cause = errors.New("no reason given")
	}
	c.job.fail(&failure{reason: reasonAborted, peer: c.job.rank, text: cause.Error()})
	c.job.spreading.Wait()
}
