package ame

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// job is what the communicators of one rank share: the links, the state of
// the other ranks, and the mailboxes.
type job struct {
	rank, size int
	log        *slog.Logger
	peers      []Peer  // by rank; complete once the job is up
	links      []*link // by rank on rank 0; elsewhere one, to rank 0

	readers   sync.WaitGroup
	spreading sync.WaitGroup // writes of kindFail
	receivers sync.Pool      // of *receiver: spares each call that waits a channel

	mu        sync.Mutex
	boxes     map[uint32]*mailbox
	freed     map[uint32]bool      // communicators whose late arrivals are dropped
	lastComm  uint32               // on rank 0: the last number given out
	left      []bool               // by rank: has said bye
	askers    map[int]map[int]bool // on rank 0: by rank, who wants to know when it leaves
	failed    *failure
	hasFailed chan struct{} // closed when failed is set
	closed    bool
	remaining int           // links whose reader is running
	drained   chan struct{} // closed when remaining is 0
}

func newJob(cfg *Config) *job {
	links := 1
	if cfg.Rank == 0 {
		links = cfg.Size
	}
	return &job{
		rank: cfg.Rank, size: cfg.Size, log: cfg.Logger,
		peers: make([]Peer, cfg.Size), links: make([]*link, links), left: make([]bool, cfg.Size),
		boxes: map[uint32]*mailbox{}, freed: map[uint32]bool{}, askers: map[int]map[int]bool{},
		hasFailed: make(chan struct{}), drained: make(chan struct{}),
	}
}

// link returns the connection over which frames for rank dest leave.
func (j *job) link(dest int) *link {
	if j.rank == 0 {
		return j.links[dest]
	}
	return j.links[0]
}

// host returns the name of the node of a rank, "" if unknown.
func (j *job) host(rank int) string {
	if rank < 0 {
		return ""
	}
	return j.peers[rank].Host
}

func (j *job) errorf(op string, peer int, err error) error {
	return &Error{Op: op, Rank: j.rank, Peer: peer, Host: j.host(peer), Err: err}
}

// box returns the mailbox of a communicator, nil if that has been freed.
// Frames may come before this rank has learnt of the communicator. The
// caller holds mu.
func (j *job) box(comm uint32) *mailbox {
	if j.freed[comm] {
		return nil
	}
	b := j.boxes[comm]
	if b == nil {
		b = &mailbox{}
		b.round.ahead = map[int]announcement{}
		j.boxes[comm] = b
	}
	return b
}

// usable returns why no call can work any more, nil if it can. The caller
// holds mu.
func (j *job) usable(op string) error {
	switch {
	case j.failed != nil:
		return j.errorf(op, j.failed.peer, j.failed)
	case j.closed:
		return j.errorf(op, -1, ErrClosed)
	}
	return nil
}

// errDone ends the reader of a link whose other end has said bye.
var errDone = errors.New("bye")

// dispatch handles one frame. It returns the receiver that was waiting for
// it, if any. An error ends the link.
func (j *job) dispatch(l *link, h *header, body []byte) (*receiver, error) {
	if int64(h.source) >= int64(j.size) || int64(h.dest) >= int64(j.size) {
		return nil, fmt.Errorf("%v frame from rank %d to rank %d of %d", h.kind, h.source, h.dest, j.size)
	}
	if j.rank == 0 && int(h.source) != l.peer {
		return nil, fmt.Errorf("%v frame in the name of rank %d", h.kind, h.source)
	}
	if int(h.dest) != j.rank {
		return nil, j.forward(l, h, body)
	}
	switch h.kind {
	case kindMessage, kindBcast, kindGather, kindBarrier, kindDup:
		return j.deliver(h, body), nil
	case kindWaiting:
		j.heard(h)
	case kindLeft:
		j.gone(int(h.source))
	case kindBye:
		j.gone(l.peer)
		return nil, errDone
	case kindFail:
		f, err := parseFailure(body, j.size)
		if err != nil {
			return nil, err
		}
		j.fail(f)
	default:
		return nil, fmt.Errorf("%v frame after start-up", h.kind)
	}
	return nil, nil
}

// ended is called once for each link, by its reader, when nothing more will
// come from the other end.
func (j *job) ended(l *link, err error) {
	if err != errDone {
		j.mu.Lock()
		left := j.left[l.peer] || j.closed
		j.mu.Unlock()
		if !left {
			j.fail(&failure{reason: reasonLost, peer: l.peer, text: lossText(err)})
		}
	}
	l.conn.Close()
	j.mu.Lock()
	j.remaining--
	if j.remaining == 0 {
		close(j.drained)
	}
	j.mu.Unlock()
}

func lossText(err error) string {
	if errors.Is(err, io.EOF) {
		return "its connection was closed without a bye"
	}
	return err.Error()
}

// deliver puts what has arrived into its mailbox. It returns the receiver
// that was waiting for it, if any.
func (j *job) deliver(h *header, body []byte) *receiver {
	a := &arrival{kind: h.kind, Message: Message{
		Payload: Payload{Format: h.format, Body: body}, Source: int(h.source), Tag: int(h.tag),
	}}
	j.mu.Lock()
	b := j.box(h.comm)
	if b == nil {
		j.mu.Unlock()
		return nil
	}
	var c *conflict
	if h.kind.collective() {
		c = b.round.check(a.Source, announcement{seq: h.tag, kind: h.kind})
	}
	var taken *receiver
	if c == nil {
		taken = b.put(a)
	}
	j.mu.Unlock()
	if c != nil {
		j.mismatch(c, h.comm)
	}
	return taken
}

// forward sends on, from rank 0, a frame between two other ranks.
func (j *job) forward(from *link, h *header, body []byte) error {
	if j.rank != 0 || h.kind != kindMessage && h.kind != kindWaiting {
		return fmt.Errorf("%v frame for rank %d", h.kind, h.dest)
	}
	dest := int(h.dest)
	j.mu.Lock()
	left := j.left[dest]
	if h.kind == kindWaiting && !left {
		if j.askers[dest] == nil {
			j.askers[dest] = map[int]bool{}
		}
		j.askers[dest][from.peer] = true
	}
	j.mu.Unlock()
	switch {
	case left:
		j.tellLeft(from.peer, dest)
	case h.kind == kindWaiting: // answered when dest leaves
	default:
		// An error means that dest is lost; the reader of its link says so.
		_ = j.links[dest].write(context.Background(), h, body)
	}
	return nil
}

// tellLeft lets rank to know, from rank 0, that rank gone has said bye.
func (j *job) tellLeft(to, gone int) {
	h := header{kind: kindLeft, source: uint32(gone), dest: uint32(to)}
	_ = j.links[to].write(context.Background(), &h, nil)
}

// heard notes that another rank waits in a collective, or asks to be told when this rank leaves.
func (j *job) heard(h *header) {
	if kind(h.root) == kindMessage {
		return // a bye tells it
	}
	theirs := announcement{seq: h.tag, kind: kind(h.root)}
	j.mu.Lock()
	var c *conflict
	if b := j.box(h.comm); b != nil {
		c = b.round.check(int(h.source), theirs)
		if int32(theirs.seq-b.round.seq) > 0 {
			b.round.ahead[int(h.source)] = theirs
		}
	}
	j.mu.Unlock()
	if c != nil {
		j.mismatch(c, h.comm)
	}
}

func (j *job) mismatch(c *conflict, comm uint32) {
	j.fail(&failure{reason: reasonMismatch, peer: c.rank, text: c.text(j.rank, comm)})
}

// gone notes that a rank has said bye: calls that wait for it alone end, and
// so do those that wait for any rank when no other is left.
func (j *job) gone(rank int) {
	j.mu.Lock()
	j.left[rank] = true
	alone := j.alone()
	for _, b := range j.boxes {
		b.refuse(
			func(r *receiver) bool { return alone || r.source == rank },
			func(r *receiver) error { return j.errorf(opOf(r.kind), rank, ErrLeft) })
	}
	askers := j.askers[rank]
	delete(j.askers, rank)
	j.mu.Unlock()
	for asker := range askers {
		j.tellLeft(asker, rank)
	}
}

// alone says whether no other rank is left that a message could come from.
// The caller holds mu.
func (j *job) alone() bool {
	if j.rank != 0 {
		return j.left[0] // everything comes through rank 0
	}
	for _, left := range j.left[1:] {
		if !left {
			return false
		}
	}
	return j.size > 1
}

// opOf names the call that waits for arrivals of this kind.
func opOf(k kind) string {
	if k == kindMessage {
		return "recv"
	}
	return k.String()
}

// fail ends the job on this rank, once: every waiting and every later call
// gets f. It is passed on to the ranks that may not know.
func (j *job) fail(f *failure) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil || j.closed {
		return
	}
	j.failed = f
	close(j.hasFailed)
	for _, b := range j.boxes {
		b.refuse(
			func(*receiver) bool { return true },
			func(r *receiver) error { return j.errorf(opOf(r.kind), f.peer, f) })
	}
	j.log.Warn("job failed", "rank", j.rank, "peer", f.peer, "host", j.host(f.peer), "cause", f.text)
	j.spread(f)
}

// spreadTimeout bounds how long a rank that fails tries to tell the others.
const spreadTimeout = 2 * time.Second

// spread tells f to the ranks at the other ends of this rank's links, each
// on its own, because one of them may be the reason and take nothing. The
// caller holds mu.
func (j *job) spread(f *failure) {
	body := f.appendTo(nil)
	for dest, l := range j.links {
		if l == nil || (f.reason == reasonLost && dest == f.peer) {
			continue
		}
		j.spreading.Add(1)
		go func() {
			defer j.spreading.Done()
			ctx, cancel := context.WithTimeout(context.Background(), spreadTimeout)
			defer cancel()
			h := header{kind: kindFail, source: uint32(j.rank), dest: uint32(dest)}
			_ = l.write(ctx, &h, body) // a rank that cannot be told finds out by itself
		}()
	}
}
