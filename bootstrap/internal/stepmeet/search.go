package stepmeet

import (
	"context"
	"errors"
	mathrand "math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/listen"
)

const (
	maxNodes     = 1024                   // on which rank 0 is looked for where its node is not known
	maxDials     = 64                     // connections of one rank at a time
	dialTime     = 5 * time.Second        // to connect
	nextPort     = 50 * time.Millisecond  // before the next port of the sequence is tried as well
	pace         = 5 * time.Millisecond   // between connections to nodes that may or may not have rank 0
	retryPause   = 20 * time.Millisecond  // before a port is tried again, doubling
	longPause    = 1 * time.Second        // at most
	resolvePause = 500 * time.Millisecond // before a name is looked up again
)

// Found is what a rank gets from rank 0.
type Found struct {
	Text    string
	Address string // at which rank 0 was found
	Warning string // for the user, or ""
}

// search is how a rank finds rank 0: it tries all ports of the sequence on the
// node where rank 0 is, until one of them proves to be rank 0. Only where the
// environment does not tell that node it looks on all nodes of the step, for
// that looks like a port scan to others.
type search struct {
	*Member
	local []netip.Addr // where a rank 0 on this node would listen

	slots chan struct{}
	found chan Found
	end   context.CancelCauseFunc

	mu      sync.Mutex
	next    time.Time        // when the next doubtful connection may be made
	tried   map[string]error // last error by address
	refused error            // by what says to be rank 0 of our step
	patient *time.Timer      // ends the search some time after that
}

// Search finds rank 0 and returns what it hands over. It blocks until then or
// until ctx ends; something that says to be rank 0 of this step and refuses
// this rank ends it after some seconds.
func (m *Member) Search(ctx context.Context) (Found, error) {
	if m.unable != nil {
		m.giveUp(ctx)
		return Found{}, m.unable
	}
	return m.lookFor(ctx)
}

// giveUp lets rank 0 know of a rank that can prove nothing: it is turned away
// there, and rank 0 can tell the user why it waits. Nothing more comes of it,
// for a stranger could say the same.
func (m *Member) giveUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, m.farewell)
	defer cancel()
	hasty := *m
	hasty.patience = 0
	_, _ = hasty.lookFor(ctx) // it cannot find: it offers no proof
}

func (m *Member) lookFor(ctx context.Context) (Found, error) {
	local, err := listen.Local(m.env, m.oneNode())
	if err != nil {
		return Found{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s := &search{
		Member: m, local: local,
		slots: make(chan struct{}, maxDials), found: make(chan Found),
		tried: make(map[string]error), end: cancel,
	}
	var searching sync.WaitGroup
	nodes, known := m.where()
	for _, node := range nodes {
		searching.Go(func() { s.lookOn(ctx, node, !known) })
	}
	var found Found
	select {
	case found = <-s.found:
	case <-ctx.Done():
		err = s.failure(context.Cause(ctx))
	}
	cancel(nil)
	searching.Wait()
	s.stopPatience()
	return found, err
}

// where returns the nodes on which to look for rank 0, and whether it is known
// to be there.
func (m *Member) where() (nodes []string, known bool) {
	if root, known := m.step.RootHost(); known {
		return []string{root}, true
	}
	return m.step.Candidates(maxNodes), false
}

// lookOn looks for rank 0 on one node until ctx ends. Where it is doubtful that
// rank 0 is there, it connects at a measured pace: many ranks may be doing so.
func (s *search) lookOn(ctx context.Context, node string, doubtful bool) {
	addrs := s.local
	for node != s.step.Node {
		var err error
		addrs, err = s.resolve(ctx, node)
		if err == nil && len(addrs) > 0 {
			break
		}
		if err == nil {
			err = errors.New("no address")
		}
		s.note(node, err)
		if !sleep(ctx, resolvePause) {
			return
		}
	}
	s.note(node, nil)
	var trying sync.WaitGroup
	for _, addr := range addrs {
		for i, port := range s.ports.List {
			trying.Go(func() {
				if sleep(ctx, time.Duration(i)*nextPort) {
					s.endpoint(ctx, listen.HostPort(addr.Unmap().String(), port), doubtful)
				}
			})
		}
	}
	trying.Wait()
}

// endpoint tries one address and port until ctx ends.
func (s *search) endpoint(ctx context.Context, address string, doubtful bool) {
	s.note(address, errNoAnswer)
	for pause := retryPause; ; pause = min(2*pause, longPause) {
		if doubtful && !sleep(ctx, s.turn()) {
			return
		}
		found, err := s.try(ctx, address)
		if err == nil {
			select {
			case s.found <- found:
			case <-ctx.Done():
			}
			return
		}
		if ctx.Err() == nil {
			s.note(address, err)
		}
		if !sleep(ctx, pause/2+mathrand.N(pause)) {
			return
		}
	}
}

var errNoAnswer = errors.New("no answer yet")

// turn returns how long to wait for the next doubtful connection.
func (s *search) turn() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.next.Before(now) {
		s.next = now
	}
	wait := s.next.Sub(now)
	s.next = s.next.Add(pace)
	return wait
}
