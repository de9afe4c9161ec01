package loop

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// Config describes a loop to its Server.
type Config struct {
	Size      int   // number of ranks
	Total     int   // number of items, or Unknown for a sequence
	Travels   bool  // rank 0 alone has the items; Total is Unknown, and Add gets them
	Slots     []int // how many items each rank works on at once; nil: one
	RootWorks bool  // rank 0 has a Worker
	Stop      bool  // the first item that has failed ends the loop
	Redo      bool  // what a rank has finished is lost with it
	Finished  []int // before the loop begins, ascending
	OnLoss    LossPolicy
	Retries   int // of an item on which work has failed
	Halting   Halting
	Errors    Errors
	Timeline  *timeline.Section // nil: nothing is recorded
}

// Server runs the manager of one loop on rank 0. Its Run answers the other
// ranks, so they are served while rank 0 is in its loop body; rank 0's own
// worker calls it directly.
//
// A rank is in the loop until it says that it has left, it is sent home in
// answer to a report in which it asks, or it is lost. Whatever it says later
// does not matter. Run ends when no other rank is in the loop and all answers
// are written: see done.
type Server struct {
	Config
	link Link

	serving context.Context // ends when done holds
	served  chan struct{}   // closed when Run has ended
	local   chan window     // answers to rank 0's own worker

	mu       sync.Mutex
	m        *manager
	total    int        // of slots
	waiting  []int      // ranks that wait for a window, first come first served
	asks     []int      // by rank, how many of its slots wait
	outgoing []outgoing // by rank
	inputs   inputs
	coming   map[int]Item // by rank, the item whose value is on its way
	results  backlog      // for the loop body
	failures failures     // why the loop has failed
	losses   []error      // of ranks, that may yet be of no matter
	sending  int          // ranks that are being written to
	halt     haltState    // how the loop was asked to stop
	broken   bool         // the other ranks cannot be reached any more
	finish   func()       // ends serving
}

// NewServer returns the Server of a loop. The caller calls Run in a goroutine
// of its own.
func NewServer(link Link, c Config) *Server {
	s := &Server{
		Config: c, link: link, m: newManager(c.Size, c.Total, c.Total == Unknown),
		served: make(chan struct{}), asks: make([]int, c.Size), outgoing: make([]outgoing, c.Size),
		coming: map[int]Item{}, results: newBacklog(), inputs: newInputs(), halt: newHaltState(),
	}
	if c.Travels {
		s.m.ordered, s.m.ready, s.m.weight = false, 0, s.inputs.weight
	}
	s.total = s.m.setSlots(c.Slots)
	s.local = make(chan window, s.m.ranks[0].slots+1)
	// Ranks are to be released whatever becomes of any caller's context.
	s.serving, s.finish = context.WithCancel(context.Background())
	s.m.redo, s.m.retries = c.Redo, c.Retries
	s.m.pass(c.Finished)
	if !c.RootWorks {
		s.m.leave(0, out)
	}
	return s
}

// message takes in what a rank says, unless that does not matter any more.
func (s *Server) message(m Message) error {
	if !s.isIn(m.Source) {
		return nil
	}
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

func (s *Server) isIn(rank int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.ranks[rank].state == in
}

// value completes the item of a rank whose value was announced.
func (s *Server) value(m Message) (err error) {
	s.change(func() {
		item, ok := s.coming[m.Source]
		if s.m.ranks[m.Source].state != in {
			return
		}
		if !ok {
			err = fmt.Errorf("rank %d: a value that was not announced", m.Source)
			return
		}
		delete(s.coming, m.Source)
		item.Payload, item.Status = m.Payload, Value
		err = s.finished(m.Source, item)
	})
	return err
}

// report takes in what a rank says and answers the ranks that can be
// answered now.
func (s *Server) report(rank int, r *report) {
	received := s.Timeline.Now()
	s.change(func() {
		if s.m.ranks[rank].state != in {
			return
		}
		s.record(rank, received, r)
		if err := s.account(rank, r); err != nil {
			s.fail(err)
		}
		s.follow(rank, r)
	})
}

// account notes what has become of the items that a rank had. It returns the
// first contradiction. The caller holds mu.
func (s *Server) account(rank int, r *report) error {
	var first error
	note := func(err error) { first = cmp.Or(first, err) }
	for _, item := range r.items {
		if item.Status == follows {
			s.coming[rank] = item
		} else {
			note(s.finished(rank, item))
		}
	}
	for _, b := range slices.Backward(r.back) { // as a walk through a sequence would
		note(s.m.giveBack(rank, b))
	}
	if r.end != Unknown {
		note(s.m.foundEnd(rank, r.end))
	}
	return first
}

// finished notes that a rank is done with an item. The caller holds mu.
func (s *Server) finished(rank int, item Item) error {
	if err := s.m.finish(rank, item.Index, item.Duration); err != nil {
		return err
	}
	if item.Status == Failed && (!s.m.stopped || s.halt.why != "") && s.m.retry(rank, item.Index) {
		return nil
	}
	if s.Travels {
		s.inputs.drop(span{item.Index, 1})
	}
	if item.Status != Done {
		item.Rank, item.Attempt = rank, s.m.attempt(item.Index)
		s.deliver(item)
	}
	s.m.settle(item.Index)
	return nil
}

// deliver passes on the value or the error of an item. The caller holds mu.
func (s *Server) deliver(item Item) {
	switch {
	case item.HasFailed() && s.Stop:
		if item.Stack != nil && !s.failures.keepStack() {
			item.Stack = nil
		}
		s.fail(s.Errors.OfItem(item))
	default:
		s.results.add(item)
	}
}

// follow does what a rank's intent asks for. The caller holds mu.
func (s *Server) follow(rank int, r *report) {
	switch held := s.m.unfinished(rank); r.intent {
	case working:
		return
	case asking:
		if s.asks[rank] == 0 {
			s.waiting = append(s.waiting, rank)
		}
		s.asks[rank] += 1 + r.more
		return
	case halting:
		s.stop("as asked")
		return
	case Panic:
		s.fail(s.Errors.OfRank(rank, fmt.Errorf("left the loop by a panic, %s; its own output says why", held)))
	case Fail:
		s.fail(s.Errors.OfRank(rank, fmt.Errorf("left the loop, %s: %w", held, s.Errors.Decode(r.why))))
	}
	s.leave(rank, out)
}

// leave notes that a rank is out of the loop, with whatever it holds. The
// caller holds mu.
func (s *Server) leave(rank int, why state) {
	s.m.leave(rank, why)
	s.forget(rank)
}

// forget waits for nothing more from a rank. The caller holds mu.
func (s *Server) forget(rank int) {
	delete(s.coming, rank)
	s.asks[rank] = 0
	s.waiting = slices.DeleteFunc(s.waiting, func(r int) bool { return r == rank })
}

// fail ends the loop early: nothing more is handed out. The caller holds mu.
func (s *Server) fail(err error) {
	s.failures.add(err)
	s.m.stopped = true
	s.results.wake()
}
