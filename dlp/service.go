package dlp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/dlp-mpi/dlp-go/ame"
)

// service is one rank's end of an arbiter that rank 0 of a Comm has. The other
// ranks ask it by messages on a communicator that outlives lost ranks; a
// goroutine of rank 0 answers, whatever rank 0 does.
type service struct {
	comm    *Comm
	op      string
	backend *ame.Comm
	calls   atomic.Uint32 // of this rank
	closed  atomic.Bool

	mu      sync.Mutex // what follows is rank 0's
	arbiter arbiter
	own     map[uint32]chan int64 // who waits on rank 0 itself, by call
	gone    map[int]bool          // ranks that ask nothing more
	stop    context.CancelFunc    // ends the goroutine
}

// A request is its kind, the number of the call, and a number to add: 13 bytes,
// big endian. The answer has the call's number for a tag, above that of requests,
// and is a number of 8 bytes.
const (
	askAdd     = 1
	askLock    = 2
	askRelease = 3
	askLeave   = 4

	tagRequest  = 0
	requestSize = 13
)

func newService(ctx context.Context, c *Comm, op string) (*service, error) {
	if err := c.idle(op); err != nil {
		return nil, err
	}
	backend, err := c.own(ctx)
	if err != nil {
		return nil, err
	}
	s := &service{comm: c, op: op, backend: backend, own: map[uint32]chan int64{}, gone: map[int]bool{}}
	c.services.add(s)
	if !c.IsRoot() || c.Size() == 1 {
		return s, nil
	}
	serving, stop := context.WithCancel(context.Background())
	s.stop = stop
	if !c.requests.background(func() { s.serve(serving) }) {
		stop()
		return nil, c.errorf(op, ErrClosed)
	}
	return s, nil
}

// serve answers the other ranks until all of them have left.
func (s *service) serve(ctx context.Context) {
	defer s.stop()
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(ctx) })
	for {
		m, err := s.backend.Recv(ctx, ame.AnySource, tagRequest)
		if err != nil { // nobody is left, or the job is over
			break
		}
		if len(m.Body) != requestSize {
			s.leave(m.Source)
			continue
		}
		who := claimant{m.Source, binary.BigEndian.Uint32(m.Body[1:])}
		s.handle(m.Body[0], who, int64(binary.BigEndian.Uint64(m.Body[5:])))
	}
	s.stop()
	watching.Wait()
	for rank := 1; rank < s.comm.Size(); rank++ {
		s.leave(rank)
	}
	s.backend.Close()
}

// watch lets go of what lost ranks hold.
func (s *service) watch(ctx context.Context) {
	for known := 0; ; {
		lost := s.backend.AwaitLost(ctx, known)
		if ctx.Err() != nil {
			return
		}
		for _, rank := range lost {
			s.leave(rank)
		}
		known = len(lost)
	}
}

// handle decides on a request, on rank 0.
func (s *service) handle(kind byte, who claimant, n int64) {
	if kind == askLeave {
		s.leave(who.rank)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case askAdd:
		s.tell(s.arbiter.add(who, n))
	case askLock:
		s.tell(s.arbiter.lock(who))
	case askRelease:
		s.tell(s.arbiter.release(who))
	}
}

func (s *service) leave(rank int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(s.arbiter.gone(rank))
	s.gone[rank] = true
	if len(s.gone) == s.comm.Size()-1 {
		s.stop()
	}
}

// tell passes verdicts on. One that does not get through is for a rank that is
// lost, which watch notices. The caller holds mu.
func (s *service) tell(verdicts []verdict) {
	for _, v := range verdicts {
		if waits := s.own[v.id]; v.rank == 0 && waits != nil {
			waits <- v.value
			delete(s.own, v.id)
		} else if v.rank != 0 {
			body := binary.BigEndian.AppendUint64(nil, uint64(v.value))
			_ = s.backend.Post(context.Background(), v.rank, tagOf(v.id), ame.Payload{Body: body})
		}
	}
}

// tagOf is the tag of the answer to a call.
func tagOf(id uint32) int { return int(id%MaxTag) + tagRequest + 1 }

// call is a request that is answered.
type call struct {
	id     uint32
	answer chan int64 // on rank 0
}

// begin sends a request.
func (s *service) begin(ctx context.Context, kind byte, n int) (call, error) {
	c := call{id: s.calls.Add(1)}
	switch {
	case s.closed.Load():
		return c, s.errorf(ErrClosed)
	case ctx.Err() != nil:
		return c, s.errorf(context.Cause(ctx))
	case s.comm.IsRoot():
		c.answer = make(chan int64, 2) // a grant, and that it was withdrawn
		s.mu.Lock()
		s.own[c.id] = c.answer
		s.mu.Unlock()
		s.handle(kind, claimant{0, c.id}, int64(n))
		return c, nil
	}
	return c, s.send(ctx, kind, c.id, n)
}

func (s *service) send(ctx context.Context, kind byte, id uint32, n int) error {
	body := binary.BigEndian.AppendUint32([]byte{kind}, id)
	body = binary.BigEndian.AppendUint64(body, uint64(n))
	if err := s.backend.Send(ctx, 0, tagRequest, ame.Payload{Body: body}); err != nil {
		return s.errorf(err)
	}
	return nil
}

// notify sends a request that has no answer, or one that somebody waits for.
func (s *service) notify(kind byte, id uint32) error {
	if s.comm.IsRoot() {
		s.handle(kind, claimant{0, id}, 0)
		return nil
	}
	return s.send(context.Background(), kind, id, 0)
}

// await waits for the answer to a call.
func (s *service) await(ctx context.Context, c call) (int64, error) {
	if c.answer != nil {
		select {
		case n := <-c.answer:
			return n, nil
		case <-ctx.Done():
			return 0, s.errorf(context.Cause(ctx))
		}
	}
	m, err := s.backend.Recv(ctx, 0, tagOf(c.id))
	if err == nil && len(m.Body) != 8 {
		err = fmt.Errorf("an answer of %d bytes", len(m.Body))
	}
	if err != nil {
		return 0, s.errorf(err)
	}
	return int64(binary.BigEndian.Uint64(m.Body)), nil
}

// close ends this rank's part. Rank 0 goes on answering the others.
func (s *service) close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.comm.services.remove(s)
	if s.comm.IsRoot() {
		s.mu.Lock()
		s.tell(s.arbiter.gone(0))
		s.mu.Unlock()
		if s.comm.Size() == 1 {
			return s.backend.Close()
		}
		return nil
	}
	err := s.send(context.Background(), askLeave, 0, 0)
	if errors.Is(err, ErrLeft) {
		err = nil // rank 0 has left the job, and what it had with it
	}
	return errors.Join(err, s.backend.Close())
}

func (s *service) errorf(err error) error { return s.comm.errorf(s.op, err) }
