package ame

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
)

// job is one rank's part in a job: it moves frames between links, the mesh and
// the matcher, and decides what a loss or a failure means.
type job struct {
	rank, size int
	log        *slog.Logger
	onLost     func(rank int)
	mesh       *mesh
	matcher    *matcher
	memory     *memory   // in which ranks of this node meet
	pairing    *pairing  // makes links to ranks other than 0; nil on rank 0
	pairKeys   *pairKeys // on rank 0
	lanes      *lanes    // of what rank 0 relays
	spares     spares
	bodies     unfinished

	connectionsOnly bool
	secluded        atomic.Bool // another rank could not read this one's memory, see expose
	oneProcess      bool        // all ranks are goroutines of this process

	lending atomic.Int32  // links whose token their owner does not have
	sharing atomic.Int32  // links that are in memory, or are to be
	sent    atomic.Uint64 // messages that this rank has sent to others
	comms   atomic.Uint32 // numbers of communicators that this rank has given out

	answers  atomic.Int64 // on their way, see answer
	suspects atomic.Bool  // a mismatch has been found, which is about to end the job

	pumps   sync.WaitGroup  // owners of links, and who works for them
	telling sync.WaitGroup  // writes of news about ranks or the job
	life    context.Context // ends with the first Close
	endLife context.CancelFunc
	up      chan struct{} // on rank 0: closed when every rank has been welcomed

	leaving sync.Once // of rank 0, see outlast

	mu        sync.Mutex
	failed    *failure      // why the whole job cannot go on
	hasFailed chan struct{} // closed when failed is set
	closed    bool
	pulse     *pulse                 // nil: no heartbeats
	shrunk    map[commID]chan []byte // by communicator: where a Shrink of this rank waits

	survivors survivors         // on rank 0
	stuck     func(text string) // tells the user of a long wait
	waits     longWaits
	stalls    stalls // on rank 0
}

func newJob(cfg *Config) *job {
	life, endLife := context.WithCancel(context.Background())
	mesh := newMesh(cfg.Rank, cfg.Size)
	mesh.pairs = cfg.Rank != 0 && cfg.Listen != nil
	j := &job{
		life: life, endLife: endLife,
		rank: cfg.Rank, size: cfg.Size, log: cfg.Logger, onLost: cfg.Lost, stuck: cfg.Stuck,
		oneProcess: cfg.OneProcess, connectionsOnly: cfg.ConnectionsOnly,
		mesh: mesh, matcher: newMatcher(cfg.Rank), memory: &memory{},
		up: make(chan struct{}), hasFailed: make(chan struct{}),
		stalls: stalls{changed: make(chan struct{}, 1)},
	}
	if cfg.Rank == 0 {
		j.pairKeys = newPairKeys()
	}
	// What relays is counted in pumps itself, so these are not at zero.
	j.lanes = &lanes{write: j.sendOn, spawn: j.pumps.Go, to: map[int]*lane{}}
	return j
}

// newLink makes conn the link to a rank.
func (j *job) newLink(rank int, conn net.Conn) *stream {
	l := newStream(j.rank, rank, conn)
	l.frames.spares, l.frames.bodies = &j.spares, &j.bodies
	return l
}

// world is the communicator of all ranks.
func (j *job) world() *Comm {
	g := whole(j.rank, j.size)
	j.matcher.open(0, g, intolerant)
	return j.comm(0, g)
}

func (j *job) errorf(op string, peer int, err error) error {
	return &Error{Op: op, Rank: j.rank, Peer: peer, Host: j.mesh.host(peer), Err: err}
}

// report is the error of a call that a trouble has ended.
func (j *job) report(op string, t *trouble) error { return j.errorf(op, t.peer, t.err) }

// adopt takes a link of this job, and starts to read from it after what first
// waits for. It returns false, with the link closed, if there is one to that
// rank or the job is over.
func (j *job) adopt(l link, first func()) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || !j.mesh.connect(l) {
		l.close()
		return false
	}
	j.pumps.Go(func() {
		first()
		j.pump(l)
	})
	return true
}

// background runs f, which Close waits for. It returns false after Close.
func (j *job) background(f func()) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return false
	}
	j.pumps.Go(f)
	return true
}

// fail ends the job on this rank, once: every waiting and every later call
// gets f. It is passed on to the ranks that may not know.
func (j *job) fail(f *failure) { j.failFrom(nil, f) }

// failFrom is fail with what the rank at the other end of l has told.
func (j *job) failFrom(l link, f *failure) {
	if f.reason == reasonLost && f.peer != j.rank && j.failure() == nil && !j.isClosed() {
		j.onLost(f.peer)
	}
	j.mu.Lock()
	if j.failed != nil || j.closed {
		j.mu.Unlock()
		return
	}
	j.failed = f
	j.matcher.fail(f.trouble())
	close(j.hasFailed) // whoever has waited for this finds that no call works
	switch {
	case j.cutOff(f):
		closeLinks(j.mesh.links())
	case f.reason == reasonLost:
		j.tell(l, f.peer, &header{kind: kindFail, source: uint32(j.rank)}, f.appendTo(nil))
	default:
		j.tell(l, -1, &header{kind: kindFail, source: uint32(j.rank)}, f.appendTo(nil))
	}
	j.mu.Unlock()
	j.log.Warn("job failed", "rank", j.rank, "peer", f.peer, "host", j.mesh.host(f.peer), "cause", f.text)
}

// cutOff says whether f is that this rank has lost rank 0, or is lost itself.
// That is no news for others, for whom the job may go on: they hear of what
// becomes of this rank, whose links end without a bye, from rank 0.
func (j *job) cutOff(f *failure) bool {
	return j.rank != 0 && f.reason == reasonLost && (f.peer == 0 || f.peer == j.rank)
}

// failure returns why the job cannot go on, nil if it can.
func (j *job) failure() *failure {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

func (j *job) isClosed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}
