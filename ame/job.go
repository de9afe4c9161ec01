package ame

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// job is what the communicators of one rank share: the links, the state of
// the other ranks, and the mailboxes.
type job struct {
	rank, size int
	log        *slog.Logger
	peers      []Peer  // by rank; complete once the job is up
	links      []*link // by rank on rank 0; elsewhere one, to rank 0

	up        chan struct{} // on rank 0: closed when every rank has been welcomed
	readers   sync.WaitGroup
	watching  sync.WaitGroup
	spreading sync.WaitGroup // writes of kindFail
	meetings  sync.WaitGroup // barriers in segment
	sent      atomic.Uint64  // messages that this rank has sent to others
	segment   *segment       // nil if the ranks do not share memory
	receivers sync.Pool      // of *receiver: spares each call that waits a channel

	mu        sync.Mutex
	boxes     map[uint32]*mailbox
	waiters   int                  // calls in all boxes
	freed     idSet                // communicators whose late arrivals are dropped
	lastComm  uint32               // on rank 0: the last number given out
	left      []bool               // by rank: has said bye
	askers    map[int]map[int]bool // on rank 0: by rank, who wants to know when it leaves
	failed    *failure
	hasFailed chan struct{} // closed when failed is set
	closed    bool
	remaining int           // links that have not ended, those to come included
	drained   chan struct{} // closed when remaining is 0
}

func newJob(cfg *Config) *job {
	links, remaining := 1, 1
	if cfg.Rank == 0 {
		links, remaining = cfg.Size, cfg.Size-1
	}
	return &job{
		rank: cfg.Rank, size: cfg.Size, log: cfg.Logger,
		peers: make([]Peer, cfg.Size), links: make([]*link, links), left: make([]bool, cfg.Size),
		boxes: map[uint32]*mailbox{}, askers: map[int]map[int]bool{},
		up: make(chan struct{}), hasFailed: make(chan struct{}), remaining: remaining, drained: make(chan struct{}),
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

// box returns the mailbox of a communicator, nil if that has been closed.
// Frames may come before this rank has learnt of the communicator. The
// caller holds mu.
func (j *job) box(comm uint32) *mailbox {
	if j.closed || j.freed.has(comm) {
		return nil
	}
	b := j.boxes[comm]
	if b == nil {
		b = &mailbox{waiters: &j.waiters}
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

// dispatch handles one frame. direct says that it went to a call that waited
// for this link alone, and that no other call waits. An error ends the link.
func (j *job) dispatch(l *link, h *header, body []byte) (direct bool, err error) {
	if int64(h.source) >= int64(j.size) || int64(h.dest) >= int64(j.size) {
		return false, fmt.Errorf("%v frame from rank %d to rank %d of %d", h.kind, h.source, h.dest, j.size)
	}
	if j.rank == 0 && int(h.source) != l.peer {
		return false, fmt.Errorf("%v frame in the name of rank %d", h.kind, h.source)
	}
	if int(h.dest) != j.rank {
		return false, j.forward(l, h, body)
	}
	switch h.kind {
	case kindMessage, kindBcast, kindGather, kindBarrier, kindDup:
		return j.deliver(l, h, body), nil
	case kindWaiting:
		j.heard(h)
	case kindLeft:
		j.gone(int(h.source))
	case kindBye:
		j.gone(l.peer)
		return false, errDone
	case kindFail:
		f, err := parseFailure(body, j.size)
		if err != nil {
			return false, err
		}
		j.failFrom(l, f)
	default:
		return false, fmt.Errorf("%v frame after start-up", h.kind)
	}
	return false, nil
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
	close(l.over)
	j.mu.Lock()
	j.remaining--
	if j.remaining == 0 {
		close(j.drained)
	}
	j.mu.Unlock()
}

// lossText says why a connection ended, without the addresses that the net
// package puts in front: rank and host say it better.
func lossText(err error) string {
	if err == io.EOF {
		return "its connection was closed without a bye"
	}
	text := err.Error()
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		inner := op.Err
		if call, ok := inner.(*os.SyscallError); ok {
			inner = call.Err
		}
		text = strings.Replace(text, op.Error(), inner.Error(), 1)
	}
	return text
}

// deliver puts what has arrived over l into its mailbox; l is nil for what
// this rank sends to itself. direct is as of dispatch.
func (j *job) deliver(l *link, h *header, body []byte) (direct bool) {
	a := &arrival{kind: h.kind, Message: Message{
		Payload: Payload{Format: h.format, Body: body}, Source: int(h.source), Tag: int(h.tag),
	}}
	j.mu.Lock()
	b := j.box(h.comm)
	if b == nil {
		j.mu.Unlock()
		return false
	}
	var c *conflict
	if h.kind.collective() {
		c = b.round.check(a.Source, announcement{seq: h.tag, kind: h.kind})
	}
	if c == nil {
		over := b.put(a)
		direct = l != nil && over == l && j.waiters == 0
	}
	j.mu.Unlock()
	if c != nil {
		j.mismatch(c, h.comm)
	}
	return direct
}

// forward sends on, from rank 0, a frame between two other ranks.
func (j *job) forward(from *link, h *header, body []byte) error {
	if j.rank != 0 || h.kind != kindMessage && h.kind != kindWaiting {
		return fmt.Errorf("%v frame for rank %d", h.kind, h.dest)
	}
	from.relays.Store(true)
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
		select { // its welcome is the first frame that a rank gets
		case <-j.up:
		case <-j.hasFailed:
			return nil
		}
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

// heard notes that another rank waits in a collective, or asks to be told when
// this rank leaves.
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
	for _, b := range j.boxes {
		b.refuse(
			func(r *receiver) bool { _, yes := j.inVain(r.pattern); return yes },
			func(r *receiver) error { return j.errorf(opOf(r.kind), rank, ErrLeft) })
	}
	askers := j.askers[rank]
	delete(j.askers, rank)
	j.mu.Unlock()
	for asker := range askers {
		j.tellLeft(asker, rank)
	}
}

// inVain returns a rank that has left and without which nothing will come
// that p matches, yes == false if there is none. The caller holds mu.
func (j *job) inVain(p pattern) (left int, yes bool) {
	switch {
	case p.source == j.rank:
		return -1, false
	case j.rank != 0 && j.left[0]:
		return 0, true // everything comes through rank 0
	case p.all:
		left = slices.Index(j.left, true)
		return left, left >= 0
	case p.source == AnySource:
		left = j.size - 1
		return left, left > 0 && !slices.Contains(j.left[1:], false)
	}
	return p.source, j.left[p.source]
}

// opOf names the call that waits for arrivals of this kind.
func opOf(k kind) string {
	if k == kindMessage {
		return "recv"
	}
	return k.String()
}
