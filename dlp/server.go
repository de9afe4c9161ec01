package dlp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/dlp-mpi/dlp-go/ame"
)

// server runs the manager of one loop on rank 0. A goroutine of its own
// answers the other ranks, so they are served while rank 0 is in its loop
// body; rank 0's own worker calls it directly.
//
// A rank is in the loop until it says that it has left, or the server sends
// it home in answer to a report with intentMore. Whatever it says later does
// not matter.
type server struct {
	comm   *Comm
	ame    *ame.Comm // of this loop alone
	policy ErrorPolicy

	served chan struct{} // closed when every other rank is out of the loop, or lost
	local  chan window   // answers to rank 0's own worker

	mu       sync.Mutex
	m        *manager
	waiting  []int            // ranks that wait for a window, first come first served
	remote   int              // other ranks that are still in the loop
	coming   map[int]finished // by rank, the item whose value is on its way
	results  backlog          // for the loop body
	failures failures         // why the loop has failed
	broken   bool             // the other ranks cannot be reached any more
}

func newServer(c *Comm, loop *ame.Comm, m *manager, policy ErrorPolicy) *server {
	return &server{
		comm: c, ame: loop, m: m, policy: policy,
		served: make(chan struct{}), local: make(chan window, 1),
		remote: c.Size() - 1, coming: map[int]finished{}, results: newBacklog(),
	}
}

// run answers the other ranks until all of them are out of the loop.
func (s *server) run() {
	defer close(s.served)
	defer s.ame.Close()
	ctx := context.Background() // ranks are to be released whatever becomes of the caller's
	for s.remoteLeft() > 0 {
		m, err := s.ame.Recv(ctx, ame.AnySource, ame.AnyTag)
		if errors.Is(err, ame.ErrLeft) && s.allOut() {
			return // the last were sent home, and have closed before send could count them
		}
		if err == nil {
			err = s.message(m)
		}
		if err != nil && s.remoteLeft() > 0 {
			s.disconnected(err)
		}
	}
}

func (s *server) remoteLeft() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}

// allOut says whether every other rank is out of the loop, or on its way.
func (s *server) allOut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.m.ranks[1:], func(h holder) bool { return !h.out })
}

func (s *server) message(m ame.Message) error {
	if m.Tag == tagValue {
		return s.value(m)
	}
	r, err := parseReport(m.Body)
	if err != nil {
		return fmt.Errorf("rank %d: %w", m.Source, err)
	}
	s.report(m.Source, r)
	return nil
}

// value completes the item of a rank whose value was announced.
func (s *server) value(m ame.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	item, ok := s.coming[m.Source]
	if !ok {
		return fmt.Errorf("rank %d: a value that was not announced", m.Source)
	}
	delete(s.coming, m.Source)
	item.payload, item.status = m.Payload, statusValue
	return s.finish(m.Source, item)
}

// report takes in what a rank says and answers the ranks that can be
// answered now.
func (s *server) report(rank int, r *report) {
	s.mu.Lock()
	if s.m.ranks[rank].out {
		s.mu.Unlock()
		return
	}
	if err := s.account(rank, r); err != nil {
		s.fail(err)
	}
	s.follow(rank, r)
	answers := s.answers()
	s.mu.Unlock()
	s.send(answers)
}

// account notes what has become of the items that a rank had. It returns the
// first contradiction. The caller holds mu.
func (s *server) account(rank int, r *report) error {
	var errs []error
	for _, item := range r.items {
		if item.status == statusFollows {
			s.coming[rank] = item
		} else {
			errs = append(errs, s.finish(rank, item))
		}
	}
	for _, b := range r.back {
		errs = append(errs, s.m.giveBack(rank, b))
	}
	if r.end != unknown {
		errs = append(errs, s.m.foundEnd(rank, r.end))
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// finish notes that a rank is done with an item. The caller holds mu.
func (s *server) finish(rank int, item finished) error {
	if err := s.m.finish(rank, item.index, item.duration); err != nil {
		return err
	}
	item.rank = rank
	switch {
	case item.status == statusDone:
	case item.failed() && s.policy == Stop:
		s.fail(s.comm.itemError(&item))
	default:
		s.results.add(item)
	}
	return nil
}

// follow does what a rank's intent asks for. The caller holds mu.
func (s *server) follow(rank int, r *report) {
	switch held := s.m.unfinished(rank); r.intent {
	case intentWork:
		return
	case intentMore:
		s.waiting = append(s.waiting, rank)
		return
	case intentPanic:
		s.fail(s.comm.fromRank(rank, fmt.Errorf("left the loop by a panic, %s; its own output says why", held)))
	case intentError:
		s.fail(s.comm.fromRank(rank, fmt.Errorf("left the loop, %s: %s", held, r.text)))
	}
	s.leave(rank)
}

// leave notes that a rank is out of the loop, with whatever it holds. The
// caller holds mu.
func (s *server) leave(rank int) {
	if s.m.leave(rank) && rank != 0 {
		s.remote--
	}
	s.m.drop(rank)
	delete(s.coming, rank)
	s.waiting = slices.DeleteFunc(s.waiting, func(r int) bool { return r == rank })
}

// fail ends the loop early: nothing more is handed out. The caller holds mu.
func (s *server) fail(err error) {
	s.failures.add(err)
	s.m.stopped = true
	s.results.wake()
}

// reject is fail for rank 0's loop body, which cannot use a result.
func (s *server) reject(err error) {
	s.mu.Lock()
	s.fail(err)
	answers := s.answers()
	s.mu.Unlock()
	s.send(answers)
}

// answer is a window for a rank.
type answer struct {
	rank int
	window
}

// answers takes the ranks out of waiting that can be given items, or sent
// home. The caller holds mu and sends them when it has let go of it.
func (s *server) answers() []answer {
	if s.results.full() && !s.m.stopped {
		return nil // take asks again
	}
	var out []answer
	s.waiting = slices.DeleteFunc(s.waiting, func(rank int) bool {
		w, ok := s.m.assign(rank)
		if ok {
			out = append(out, answer{rank, window{span: w}})
		}
		return ok
	})
	if !s.m.over() {
		return out
	}
	s.checkLeftOver()
	s.results.wake()
	home := window{over: true}
	if err := s.failures.err(); err != nil {
		home.text = err.Error()
	}
	for _, rank := range s.waiting {
		s.m.leave(rank)
		out = append(out, answer{rank, home})
	}
	s.waiting = nil
	return out
}

// checkLeftOver finds items that nobody has done and nobody can do: in a
// sequence, what a rank gave back when it broke out of its loop may lie behind
// all others. The caller holds mu.
func (s *server) checkLeftOver() {
	if s.m.stopped || len(s.waiting) == 0 || len(s.m.back) == 0 {
		return
	}
	s.fail(fmt.Errorf("%s were left by a rank that broke out of the loop, and no other rank can go back to them in its sequence", itemList(s.m.back)))
}

// send sends answers, and ends run with the last one that it owes.
func (s *server) send(answers []answer) {
	home := 0
	var failed error
	for _, a := range answers {
		if a.over && a.rank != 0 {
			home++
		}
		if err := s.sendOne(a); err != nil {
			failed = err
		}
	}
	if failed != nil {
		s.disconnected(failed)
		return
	}
	s.mu.Lock()
	s.remote -= home
	done := s.remote <= 0
	s.mu.Unlock()
	if done {
		s.ame.Close() // ends run, which may be waiting for one more message
	}
}

func (s *server) sendOne(a answer) error {
	if a.rank == 0 {
		s.local <- a.window
		return nil
	}
	p := ame.Payload{Body: appendWindow(nil, a.window)}
	err := s.ame.Send(context.Background(), a.rank, tagWindow, p)
	if errors.Is(err, ame.ErrLeft) || errors.Is(err, ame.ErrClosed) {
		return nil // it has said before that it leaves the loop; or all have, and run has ended
	}
	return err
}

// disconnected ends the loop because another rank is lost, or does not make
// sense.
func (s *server) disconnected(err error) {
	s.mu.Lock()
	if s.broken {
		s.mu.Unlock()
		return
	}
	s.broken = true
	if lost := (*ame.Error)(nil); errors.As(err, &lost) && lost.Peer > 0 {
		err = fmt.Errorf("%w; it leaves %s", err, s.m.unfinished(lost.Peer))
	}
	s.fail(err)
	for rank := 1; rank < s.comm.Size(); rank++ {
		s.leave(rank)
	}
	s.remote = 0
	answers := s.answers() // to rank 0's own worker
	s.mu.Unlock()
	s.ame.Abort(err) // for those who do not know yet
	s.send(answers)
}

// stop hands out nothing more and drops all results: rank 0 has left the
// loop, and what fails from now on is no matter of the loop. With an error,
// the other ranks get it.
func (s *server) stop(err error) {
	s.mu.Lock()
	if err != nil {
		s.fail(err)
	}
	s.m.stopped = true
	s.failures.close()
	s.results.close()
	answers := s.answers()
	s.mu.Unlock()
	s.send(answers)
}

// take returns the results that have come since the last call. It waits for
// one; over says that there will be no more, err why the loop has failed.
func (s *server) take(ctx context.Context) (results []finished, over bool, err error) {
	for {
		s.mu.Lock()
		var answers []answer
		full := s.results.full()
		results = s.results.take()
		if full {
			answers = s.answers()
		}
		over = len(results) == 0 && (s.m.over() || s.broken)
		err = s.failures.err()
		s.mu.Unlock()
		s.send(answers)
		if len(results) > 0 {
			return results, false, nil
		}
		if over {
			return nil, true, err
		}
		select {
		case <-s.results.ready:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// supervise waits on rank 0, which does not work, until the loop is over.
func (s *server) supervise(ctx context.Context) error {
	select {
	case <-s.served:
		return s.err()
	case <-ctx.Done():
		err := context.Cause(ctx)
		s.stop(s.comm.fromRank(0, err))
		return err
	}
}

// err returns why the loop has failed, nil if it has not.
func (s *server) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures.err()
}

// state is what the progress display shows.
func (s *server) state() (done, total, busy int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.finished, s.m.total, s.m.busy()
}
