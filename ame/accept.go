package ame

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// acceptor is rank 0's side of the start-up.
type acceptor struct {
	job *job
	cfg *Config

	handshakes sync.WaitGroup
	joined     chan struct{} // gets a value for each rank that has joined

	mu       sync.Mutex
	opening  map[net.Conn]bool // connections whose handshake is under way
	taken    map[int]bool      // ranks that have proved themselves
	done     map[int]bool      // ranks that have joined
	rejected map[string]int
	over     bool
}

// acceptAll waits until all other ranks have joined and welcomes them.
func (j *job) acceptAll(ctx context.Context, cfg *Config) error {
	a := &acceptor{
		job: j, cfg: cfg, joined: make(chan struct{}, cfg.Size),
		opening: map[net.Conn]bool{}, taken: map[int]bool{}, done: map[int]bool{}, rejected: map[string]int{},
	}
	accepting := make(chan error, 1)
	go func() { accepting <- a.accept() }()
	err := a.wait(ctx, accepting)
	cfg.Listener.Close()
	a.stop()
	<-accepting
	a.handshakes.Wait()
	if err != nil {
		return err
	}
	j.shareSegment()
	return j.welcome(ctx)
}

// accept takes connections until the listener is closed. Each is handled on
// its own, so that one that says nothing keeps nobody waiting.
func (a *acceptor) accept() error {
	pause := 5 * time.Millisecond
	for {
		conn, err := a.cfg.Listener.Accept()
		if err == nil {
			pause = 5 * time.Millisecond
			a.handshakes.Add(1)
			go a.handle(conn)
			continue
		}
		if a.isOver() || errors.Is(err, net.ErrClosed) {
			return err
		}
		// Such as too many open files: strangers leave, and then it works again.
		a.cfg.Logger.Warn("accept", "rank", 0, "error", err)
		time.Sleep(pause)
		pause = min(2*pause, 100*time.Millisecond)
	}
}

func (a *acceptor) isOver() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over
}

// stop ends the handshakes that are under way.
func (a *acceptor) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	for conn := range a.opening {
		conn.Close()
	}
}

// handle runs the handshake on one connection and keeps it if it is a member's.
func (a *acceptor) handle(conn net.Conn) {
	defer a.handshakes.Done()
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		conn.Close()
		return
	}
	a.opening[conn] = true
	a.mu.Unlock()

	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	rank, err := a.admit(conn)

	a.mu.Lock()
	delete(a.opening, conn)
	a.mu.Unlock()
	if err != nil {
		conn.Close()
		a.reject(conn, err)
		return
	}
	a.cfg.Logger.Debug("joined", "rank", 0, "peer", rank, "host", a.job.peers[rank].Host, "address", conn.RemoteAddr())
	a.joined <- struct{}{}
}

// admit takes one connection from its first byte to its join frame.
func (a *acceptor) admit(conn net.Conn) (rank int, err error) {
	rank, err = greetMember(conn, a.cfg)
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	taken, joined := a.taken[rank], a.done[rank]
	a.taken[rank] = true
	a.mu.Unlock()
	if joined { // final; one that is merely taken may fail yet, so it is to try again
		conn.Write([]byte{byte(verdictDuplicate)})
	}
	if taken {
		return 0, fmt.Errorf("%w: rank %d is here already", ErrAuth, rank)
	}
	l := newLink(rank, conn)
	peer, err := a.readJoin(l)
	if err != nil {
		a.mu.Lock()
		delete(a.taken, rank) // it may come again
		a.mu.Unlock()
		return 0, fmt.Errorf("rank %d before its join frame: %w", rank, err)
	}
	conn.SetDeadline(time.Time{})
	a.mu.Lock()
	a.done[rank] = true
	a.mu.Unlock()
	a.job.adopt(l, peer)
	return rank, nil
}

func (a *acceptor) readJoin(l *link) (Peer, error) {
	if _, err := l.conn.Write([]byte{byte(verdictWelcome)}); err != nil {
		return Peer{}, err
	}
	h, body, err := l.read()
	if err != nil {
		return Peer{}, err
	}
	if h.kind != kindJoin || int(h.source) != l.peer {
		return Peer{}, fmt.Errorf("%v frame from rank %d instead", h.kind, h.source)
	}
	peer, _, err := parsePeer(body)
	return peer, err
}

// adopt makes l the link to its rank and starts its reader.
func (j *job) adopt(l *link, peer Peer) {
	j.mu.Lock()
	j.links[l.peer] = l
	j.peers[l.peer] = peer
	j.readers.Add(1)
	j.mu.Unlock()
	go j.read(l)
}

func (a *acceptor) reject(conn net.Conn, err error) {
	if err == errAbandoned || a.isOver() {
		return
	}
	a.cfg.Logger.Warn("connection turned away", "rank", 0, "address", conn.RemoteAddr(), "reason", err)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rejected[strings.TrimPrefix(lossText(err), ErrAuth.Error()+": ")]++
}

// missing says who has not joined yet.
func (a *acceptor) missing(since time.Time) Missing {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := Missing{Rejected: maps.Clone(a.rejected), Waited: time.Since(since)}
	for rank := 1; rank < a.cfg.Size; rank++ {
		if !a.done[rank] {
			m.Ranks = append(m.Ranks, rank)
		}
	}
	return m
}

// wait returns when all ranks have joined, or with the reason why they won't.
func (a *acceptor) wait(ctx context.Context, accepting chan error) error {
	start := time.Now()
	reminder := time.NewTimer(waitingFirst)
	defer reminder.Stop()
	for n := 1; n < a.cfg.Size; {
		select {
		case <-a.joined:
			n++
			continue
		case <-reminder.C:
			reminder.Reset(waitingNext)
			if a.cfg.Waiting != nil {
				a.cfg.Waiting(a.missing(start))
			}
			continue
		case <-a.job.hasFailed:
		case err := <-accepting:
			accepting <- err
			a.job.fail(&failure{reason: reasonGaveUp, text: "accept: " + err.Error()})
		case <-ctx.Done():
			text := a.missing(start).String()
			if ctx.Err() != context.DeadlineExceeded {
				text = fmt.Sprintf("%v; %s", context.Cause(ctx), text)
			}
			a.job.fail(&failure{reason: reasonStartup, peer: -1, text: text, cause: context.Cause(ctx)})
		}
		a.job.mu.Lock()
		defer a.job.mu.Unlock()
		return a.job.usable("connect")
	}
	return nil
}

func (m Missing) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v after %v: missing %s", ErrTimeout, m.Waited.Round(100*time.Millisecond), rankList(m.Ranks))
	if len(m.Rejected) > 0 {
		b.WriteString("; turned away:")
		for _, reason := range slices.Sorted(maps.Keys(m.Rejected)) {
			fmt.Fprintf(&b, " %d x %s;", m.Rejected[reason], reason)
		}
	}
	return strings.TrimSuffix(b.String(), ";")
}

// rankList prints ascending ranks with runs folded: "rank 3" or "ranks 1-4,7".
func rankList(ranks []int) string {
	var b strings.Builder
	for i := 0; i < len(ranks); {
		end := i
		for end+1 < len(ranks) && ranks[end+1] == ranks[end]+1 {
			end++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		if end == i {
			fmt.Fprint(&b, ranks[i])
		} else {
			fmt.Fprintf(&b, "%d-%d", ranks[i], ranks[end])
		}
		i = end + 1
	}
	if len(ranks) == 1 {
		return "rank " + b.String()
	}
	return "ranks " + b.String()
}

// welcome gives every rank the directory: the job is up.
func (j *job) welcome(ctx context.Context) error {
	p := appendDirectory(nil, j.peers)
	if j.segment != nil {
		p = j.segment.offer.appendTo(p)
	}
	for dest := 1; dest < j.size; dest++ {
		h := header{kind: kindWelcome, dest: uint32(dest)}
		l := j.links[dest]
		if err := l.write(ctx, &h, p); err != nil {
			err = j.brokenWrite(ctx, "connect", l, err)
			j.fail(&failure{reason: reasonGaveUp, peer: 0, text: causeText(err)}) // if brokenWrite has not
			return err
		}
	}
	close(j.up)
	return nil
}
