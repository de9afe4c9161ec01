package dlp

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dlp-mpi/dlp-go/ame"
)

// maxBacklog bounds, in bytes, the results that wait on rank 0 for its loop
// body. Above it no more items are handed out until the body has caught up.
const maxBacklog = 64 << 20

// resultOverhead is counted for each waiting result besides its value.
const resultOverhead = 128

// server runs the manager of one loop on rank 0. A goroutine of its own
// answers the other ranks, so they are served while rank 0 is in its loop
// body; rank 0's own worker calls it directly.
type server struct {
	comm   *Comm
	ame    *ame.Comm // of this loop alone
	policy ErrorPolicy

	served chan struct{} // closed when every other rank is out of the loop, or lost
	local  chan window   // answers to rank 0's own worker

	mu      sync.Mutex
	m       *manager
	waiting []int              // ranks that wait for a window, first come first served
	remote  int                // other ranks that are still in the loop
	large   map[int][]finished // by rank, items whose value is on its way
	results []finished         // for the loop body
	backlog int                // bytes in results
	ready   chan struct{}      // has a value if results or the end are new
	errs    []error            // why the loop has failed
	broken  bool               // the other ranks cannot be reached any more
}

func newServer(c *Comm, loop *ame.Comm, m *manager, policy ErrorPolicy) *server {
	return &server{
		comm: c, ame: loop, m: m, policy: policy,
		served: make(chan struct{}), local: make(chan window, 1), ready: make(chan struct{}, 1),
		remote: c.Size() - 1, large: map[int][]finished{},
	}
}

// run answers the other ranks until all of them are out of the loop.
func (s *server) run() {
	defer close(s.served)
	defer s.ame.Close()
	ctx := context.Background() // ranks are to be released whatever becomes of the caller's
	for s.remoteLeft() > 0 {
		m, err := s.ame.Recv(ctx, ame.AnySource, ame.AnyTag)
		if err == nil {
			err = s.message(m)
		}
		if err != nil && s.remoteLeft() > 0 {
			s.disconnected(err)
			return
		}
	}
}

func (s *server) remoteLeft() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}

func (s *server) message(m ame.Message) error {
	if m.Tag == tagValue {
		return s.value(m)
	}
	r, err := parseReport(m.Body)
	if err != nil {
		return fmt.Errorf("rank %d: %w", m.Source, err)
	}
	return s.report(m.Source, r)
}

// value completes the oldest item of a rank whose value was announced.
func (s *server) value(m ame.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.large[m.Source]
	if len(queue) == 0 {
		return fmt.Errorf("rank %d: a value that was not announced", m.Source)
	}
	item := queue[0]
	s.large[m.Source] = queue[1:]
	item.payload, item.status = m.Payload, statusValue
	s.deliver(item)
	return nil
}

// report takes in what a rank says and answers the ranks that can be
// answered now.
func (s *server) report(rank int, r *report) error {
	s.mu.Lock()
	if err := s.account(rank, r); err != nil {
		s.fail(err)
		s.m.ranks[rank].held = nil // nobody knows any more
	}
	s.follow(rank, r)
	answers := s.answers()
	s.mu.Unlock()
	return s.send(answers)
}

// account notes what has become of the items that a rank had. The caller
// holds mu.
func (s *server) account(rank int, r *report) error {
	for _, item := range r.items {
		if err := s.m.finish(rank, item.index, item.duration); err != nil {
			return err
		}
		item.rank = rank
		switch {
		case item.status == statusDone:
		case item.status == statusFollows:
			s.large[rank] = append(s.large[rank], item)
		case item.status != statusValue && s.policy == Stop:
			s.fail(s.comm.itemError(&item))
		default:
			s.deliver(item)
		}
	}
	for _, b := range r.back {
		if err := s.m.giveBack(rank, b); err != nil {
			return err
		}
	}
	if r.end != unknown {
		return s.m.foundEnd(rank, r.end)
	}
	return nil
}

// follow does what a rank's intent asks for. The caller holds mu.
func (s *server) follow(rank int, r *report) {
	switch r.intent {
	case intentWork:
		return
	case intentMore:
		s.waiting = append(s.waiting, rank)
		return
	case intentPanic:
		s.fail(s.comm.fromRank(rank, fmt.Errorf("left the loop by a panic, %s; its own output says why", s.m.unfinished(rank))))
	case intentError:
		s.fail(s.comm.fromRank(rank, fmt.Errorf("left the loop, %s: %s", s.m.unfinished(rank), r.text)))
	}
	s.m.leave(rank)
	s.m.ranks[rank].held = nil
	if rank != 0 {
		s.remote--
	}
}

// deliver queues an item for the loop body. The caller holds mu.
func (s *server) deliver(item finished) {
	s.results = append(s.results, item)
	s.backlog += len(item.payload.Body) + resultOverhead
	s.wake()
}

// wake lets the loop body look again.
func (s *server) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// fail ends the loop early: nothing more is handed out. The caller holds mu.
func (s *server) fail(err error) {
	s.errs = append(s.errs, err)
	s.m.stopped = true
	s.wake()
}

// answer is a window for a rank.
type answer struct {
	rank int
	window
}

// answers takes the ranks out of waiting that can be given items, or sent
// home. The caller holds mu and sends them when it has let go of it.
func (s *server) answers() []answer {
	if s.backlog > maxBacklog && !s.m.stopped {
		return nil
	}
	var out []answer
	still := s.waiting[:0]
	for _, rank := range s.waiting {
		if w, ok := s.m.assign(rank); ok {
			out = append(out, answer{rank, window{span: w}})
		} else {
			still = append(still, rank)
		}
	}
	s.waiting = still
	if !s.m.over() {
		return out
	}
	s.wake()
	s.checkLeftOver()
	w := window{over: true}
	if err := s.err(); err != nil {
		w.text = err.Error()
	}
	for _, rank := range s.waiting {
		out = append(out, answer{rank, w})
	}
	s.waiting = nil
	return out
}

// checkLeftOver finds items that nobody has done and nobody can do: in a
// sequence, what a rank gave back when it broke out of its loop may lie behind all others.
func (s *server) checkLeftOver() {
	if s.m.stopped || len(s.waiting) == 0 || len(s.m.back) == 0 {
		return
	}
	s.fail(fmt.Errorf("%s were left by a rank that broke out of the loop, and no other rank can go back to them in its sequence", itemList(s.m.back)))
}

// send sends answers, and ends the server with the last one that it owes.
func (s *server) send(answers []answer) error {
	home := 0
	for _, a := range answers {
		if a.rank == 0 {
			s.local <- a.window
			continue
		}
		p := ame.Payload{Body: appendWindow(nil, a.window)}
		if err := s.ame.Send(context.Background(), a.rank, tagWindow, p); err != nil {
			return err
		}
		if a.over {
			home++
		}
	}
	s.mu.Lock()
	s.remote -= home
	done := s.remote == 0
	s.mu.Unlock()
	if done {
		s.ame.Close() // ends run, which may be waiting for one more message
	}
	return nil
}

// disconnected ends the loop because the other ranks cannot be reached, or
// do not make sense.
func (s *server) disconnected(err error) {
	var lost *ame.Error
	s.mu.Lock()
	if s.broken {
		s.mu.Unlock()
		return
	}
	switch {
	case !errors.As(err, &lost):
		s.ame.Abort(err)
	case lost.Peer > 0:
		err = fmt.Errorf("%w; it leaves %s", err, s.m.unfinished(lost.Peer))
	}
	s.fail(err)
	s.broken = true
	s.remote = 0
	for i := range s.m.ranks {
		if i != 0 {
			s.m.leave(i)
			s.m.ranks[i].held = nil
		}
	}
	var answers []answer
	for _, rank := range s.waiting {
		if rank == 0 {
			answers = append(answers, answer{0, window{over: true}})
		}
	}
	s.waiting = nil
	s.mu.Unlock()
	_ = s.send(answers) // to rank 0 itself, which cannot fail
}

// stop hands out nothing more: rank 0 has left the loop. With an error, the
// other ranks get it too.
func (s *server) stop(err error) {
	s.mu.Lock()
	s.m.stopped = true
	if err != nil {
		s.errs = append(s.errs, err)
	}
	answers := s.answers()
	s.mu.Unlock()
	if err := s.send(answers); err != nil {
		s.disconnected(err)
	}
}

// err returns why the loop has failed, nil if it has not. The caller holds mu.
func (s *server) err() error { return errors.Join(s.errs...) }

// take returns the results that have come since the last call. It waits for
// one; over says that there will be no more, err why the loop has failed.
func (s *server) take(ctx context.Context) (results []finished, over bool, err error) {
	for {
		s.mu.Lock()
		results = s.results
		s.results = nil
		held := s.backlog > maxBacklog
		s.backlog = 0
		var answers []answer
		if held {
			answers = s.answers()
		}
		over = len(results) == 0 && (s.m.over() && !s.valuesOnTheWay() || s.broken)
		err = s.err()
		s.mu.Unlock()
		if sendErr := s.send(answers); sendErr != nil {
			s.disconnected(sendErr)
			continue
		}
		if len(results) > 0 {
			return results, false, nil
		}
		if over {
			return nil, true, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// valuesOnTheWay says whether an announced value has not come yet. The
// caller holds mu.
func (s *server) valuesOnTheWay() bool {
	for _, queue := range s.large {
		if len(queue) > 0 {
			return true
		}
	}
	return false
}

// supervise waits on rank 0, which does not work, until the loop is over.
func (s *server) supervise(ctx context.Context) error {
	select {
	case <-s.served:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.err()
	case <-ctx.Done():
		err := context.Cause(ctx)
		s.stop(s.comm.fromRank(0, err))
		return err
	}
}

// state is what the progress display shows.
func (s *server) state() (done, total, busy int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.finished, s.m.total, s.m.busy()
}
