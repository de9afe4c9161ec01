package ame

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// waitingFirst and waitingNext are when Config.Waiting hears of ranks that are
// still missing.
const (
	waitingFirst = 10 * time.Second
	waitingNext  = 30 * time.Second
)

// gathering is rank 0's side of the start-up.
type gathering struct {
	job      *job
	cfg      *Config
	start    time.Time
	rollcall *rollcall
	joined   chan struct{} // gets a value for each rank that has joined
	stuck    chan error    // an error of the listener that will not go away
}

// gatherRanks waits until all other ranks have joined, and welcomes them. The
// listener goes on taking connections until the job is over: who comes late is
// told why.
func (j *job) gatherRanks(ctx context.Context, cfg *Config, own credentials) error {
	rand.Read(own.run[:])
	g := &gathering{
		job: j, cfg: cfg, start: time.Now(), rollcall: newRollcall(cfg.Size),
		joined: make(chan struct{}, cfg.Size), stuck: make(chan error, 1),
	}
	if err := enoughDescriptors(cfg.Size - 1); err != nil {
		j.fail(&failure{reason: reasonGaveUp, text: err.Error()})
		cfg.Listener.Close()
		return j.errorf("connect", -1, err)
	}
	r := &reception{
		listener: cfg.Listener, credentials: &own, log: j.log, opening: map[net.Conn]bool{},
		admit: g.admit, reject: g.rollcall.reject, stuck: g.listenerFailed,
	}
	j.receive(r)
	if err := g.wait(ctx); err != nil {
		return err
	}
	return j.welcome(ctx, cfg.Heartbeat)
}

// receive lets r take connections until the job is over.
func (j *job) receive(r *reception) {
	if !j.background(func() {
		<-j.life.Done()
		r.stop()
	}) {
		r.listener.Close()
		return
	}
	j.background(r.accept)
}

// admit takes a connection whose other end has proved to be a rank, up to its
// join frame.
func (g *gathering) admit(conn net.Conn, a *admission, taken func()) error {
	rank := int(a.opener.rank)
	if !g.rollcall.claim(rank, a.opener.instance) {
		return g.refuse(conn, rank)
	}
	l := g.job.newLink(rank, conn)
	peer, claim, err := readJoin(l)
	if err != nil {
		g.rollcall.withdraw(rank, a.opener.instance) // it may come again
		return fmt.Errorf("rank %d before its join frame: %w", rank, err)
	}
	conn.SetDeadline(time.Time{})
	g.job.mesh.describe(rank, peer)
	g.job.mayShare(l)
	taken()
	if !g.job.adopt(l, atOnce) {
		return fmt.Errorf("rank %d came when the job was over", rank)
	}
	if g.cfg.Admit != nil {
		if err := g.cfg.Admit(rank, claim); err != nil {
			// The rank has a link now, over which it is told like all others.
			g.job.fail(&failure{reason: reasonRefused, peer: rank, text: err.Error()})
			return nil
		}
	}
	g.rollcall.join(rank)
	g.job.log.Debug("joined", "rank", 0, "peer", rank, "host", peer.Host, "address", conn.RemoteAddr())
	g.joined <- struct{}{}
	return nil
}

// refuse turns away a second process that is a rank. While the first one
// lives, it cannot be known which of them is meant, so the job ends. When that
// is gone, the second one is of another program, which the same task has begun.
func (g *gathering) refuse(conn net.Conn, rank int) error {
	if g.job.mesh.gone(rank) != nil {
		say(conn, verdictElsewhere)
		return fmt.Errorf("rank %d has left this job; it belongs to another program of this task", rank)
	}
	say(conn, verdictDuplicate)
	text := fmt.Sprintf("two processes are rank %d, the second one comes from %v: %s", rank, conn.RemoteAddr(), twiceAdvice)
	g.job.fail(&failure{reason: reasonGaveUp, peer: rank, text: text})
	return fmt.Errorf("%w: rank %d is here already", ErrAuth, rank)
}

// twiceAdvice is what to do when a rank comes twice.
const twiceAdvice = "has one task started two programs at the same time? Start one after the other, or each on its own with AME_BOOTSTRAP=single"

// readJoin welcomes a rank to say who it is, and returns that and its claim.
func readJoin(l *stream) (Peer, []byte, error) {
	if err := say(l.conn, verdictWelcome); err != nil {
		return Peer{}, nil, err
	}
	h, body, err := l.read()
	if err != nil {
		return Peer{}, nil, err
	}
	if h.kind != kindJoin {
		return Peer{}, nil, fmt.Errorf("%v frame from rank %d instead", h.kind, h.source)
	}
	peer, records, err := parsePeer(body)
	claim, _ := findRecord(records, recordClaim)
	return peer, claim, err
}

// listenerFailed decides about an error of the listener: strangers may have
// taken what is missing, and leave. If ranks are still to come, it ends the
// start-up when there has been nothing else for long.
func (g *gathering) listenerFailed(err error, lasts time.Duration) bool {
	g.job.log.Warn("accept", "rank", 0, "error", err)
	if g.rollcall.complete() || lasts < stuckAfter {
		return true
	}
	select {
	case g.stuck <- err:
	default:
	}
	return false
}

// stuckAfter is for how long errors of the listener alone are thought to pass by.
const stuckAfter = 15 * time.Second

// acceptAdvice is what to do about an error of the listener that lasts.
func acceptAdvice(err error) string {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return ": raise ulimit -n where the job starts, or find out what in this process holds descriptors"
	}
	return ""
}

// wait returns when all ranks have joined, or with the reason why they won't.
func (g *gathering) wait(ctx context.Context) error {
	reminder := time.NewTimer(waitingFirst)
	defer reminder.Stop()
	for n := 1; n < g.cfg.Size; {
		select {
		case <-g.joined:
			n++
			continue
		case <-reminder.C:
			reminder.Reset(waitingNext)
			if g.cfg.Waiting != nil {
				g.cfg.Waiting(g.rollcall.missing(time.Since(g.start)))
			}
			continue
		case <-g.job.hasFailed:
		case err := <-g.stuck:
			g.job.fail(&failure{reason: reasonGaveUp, text: "accept: " + plainText(err) + acceptAdvice(err)})
		case <-ctx.Done():
			text := g.rollcall.missing(time.Since(g.start)).String()
			if ctx.Err() != context.DeadlineExceeded {
				text = fmt.Sprintf("%v; %s", context.Cause(ctx), text)
			}
			g.job.fail(&failure{reason: reasonStartup, peer: -1, text: text, cause: context.Cause(ctx)})
		}
		f := g.job.failure()
		return g.job.errorf("connect", f.peer, f)
	}
	return nil
}

// welcome gives every rank the directory: the job is up.
func (j *job) welcome(ctx context.Context, limit time.Duration) error {
	known := j.mesh.directory()
	p := appendDirectory(nil, known)
	if !j.connectionsOnly {
		p = append(p, j.memory.share(known, j.log)...)
	}
	p = appendHeartbeat(p, limit)
	for dest := 1; dest < j.size; dest++ {
		h := header{kind: kindWelcome, dest: uint32(dest), length: uint64(len(p))}
		l := j.mesh.to(dest)
		if err := l.write(ctx, h, p); err != nil {
			if ctx.Err() != nil {
				j.fail(&failure{reason: reasonGaveUp, text: fmt.Sprintf("connect: %v", context.Cause(ctx))})
			}
			j.lost(dest, lossText(err)+ownOutput) // unless that is known, or it has failed already
			f := j.failure()
			return j.errorf("connect", f.peer, f)
		}
	}
	close(j.up)
	j.startBeat(limit)
	j.startWatch()
	return nil
}
