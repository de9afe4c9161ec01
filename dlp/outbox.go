package dlp

import (
	"context"
	"slices"
	"sync"

	"github.com/dlp-mpi/dlp-go/ame"
)

// outbox has the messages of Isend that wait until those before them are sent,
// so that messages to one rank leave in the order of their calls. The zero
// value is ready for use.
type outbox struct {
	mu     sync.Mutex
	queues map[int][]*letter // by destination; the first one is on its way
}

// letter is a message of Isend.
type letter struct {
	request *Request
	payload ame.Payload
}

// add sends a message when those before it are gone. It returns false if c is
// closed.
func (o *outbox) add(c *Comm, l *letter) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	dest := l.request.peer
	if len(o.queues[dest]) == 0 && !c.requests.background(func() { o.empty(c, dest) }) {
		return false
	}
	if o.queues == nil {
		o.queues = map[int][]*letter{}
	}
	o.queues[dest] = append(o.queues[dest], l)
	return true
}

// empty sends what there is for a rank.
func (o *outbox) empty(c *Comm, dest int) {
	for l := o.first(dest); l != nil; l = o.next(dest) {
		err := c.ame.Send(context.Background(), dest, l.request.tag, l.payload)
		l.request.finish(Status{}, err)
	}
}

func (o *outbox) first(dest int) *letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.queues[dest][0]
}

// next removes the message that is sent and returns the one behind it, nil if
// there is none.
func (o *outbox) next(dest int) *letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	rest := o.queues[dest][1:]
	if len(rest) == 0 {
		delete(o.queues, dest)
		return nil
	}
	o.queues[dest] = rest
	return rest[0]
}

// withdraw removes a message that has not begun to leave, and says whether it
// has.
func (o *outbox) withdraw(r *Request) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	queue := o.queues[r.peer]
	i := slices.IndexFunc(queue, func(l *letter) bool { return l.request == r })
	if i < 1 { // not there, or on its way
		return false
	}
	o.queues[r.peer] = slices.Delete(queue, i, i+1)
	return true
}

// wait waits until all that is queued for a rank is sent, or withdrawn.
func (o *outbox) wait(ctx context.Context, dest int) error {
	o.mu.Lock()
	queue := slices.Clone(o.queues[dest]) // withdraw changes it
	o.mu.Unlock()
	for _, l := range queue {
		select {
		case <-l.request.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
