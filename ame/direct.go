package ame

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// pairTime bounds how long two ranks try to make a link of their own.
const pairTime = 10 * time.Second

// pairing makes and takes links between this rank and others than rank 0.
// pairs.go has the rules.
type pairing struct {
	job *job
	cfg Config
	own credentials

	listening sync.Once
	addresses []string // where this rank takes links

	mu      sync.Mutex
	waiting map[int]chan []string // by rank that was asked where it takes links
	told    bool                  // the log has been told of a link that cannot be made
}

// open makes a link to a rank, for which frames do not wait.
func (p *pairing) open(rank int) {
	ctx, cancel := context.WithTimeout(p.job.life, pairTime)
	defer cancel()
	addresses, err := p.ask(ctx, rank)
	if err == nil && len(addresses) > 0 {
		if err = enoughDescriptors(len(p.job.mesh.links()) + 1); err == nil {
			err = p.dial(ctx, rank, addresses)
		}
	}
	if err != nil && !errors.Is(err, errCross) && ctx.Err() != context.Canceled {
		p.tell(rank, err)
	}
	p.job.mesh.givesUp(rank)
}

// tell logs, once, that a link could not be made.
func (p *pairing) tell(rank int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.told {
		p.told = true
		p.job.log.Warn("no link of its own", "rank", p.job.rank, "peer", rank, "host", p.job.mesh.host(rank), "error", err,
			"consequence", "messages go by way of rank 0")
	}
}

// ask returns where a rank takes links.
func (p *pairing) ask(ctx context.Context, rank int) ([]string, error) {
	answer := make(chan []string, 1)
	p.mu.Lock()
	if p.waiting == nil {
		p.waiting = map[int]chan []string{}
	}
	p.waiting[rank] = answer
	p.mu.Unlock()
	if err := p.byRoot(ctx, kindAsk, rank, nil); err != nil {
		return nil, err
	}
	select {
	case addresses := <-answer:
		return addresses, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("rank %d does not say where it takes links: %w", rank, context.Cause(ctx))
	}
}

// hear takes the answer to ask.
func (p *pairing) hear(rank int, body []byte) error {
	said, err := p.own.pairs.take(rank, body)
	if err != nil {
		return err
	}
	addresses, err := parseAddresses(said)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if answer := p.waiting[rank]; answer != nil {
		delete(p.waiting, rank)
		answer <- addresses
	}
	return nil
}

// asked takes the question of a rank where this one takes links.
func (p *pairing) asked(rank int, body []byte) error {
	_, err := p.own.pairs.take(rank, body)
	if err == nil {
		p.job.answer(func() { p.answer(rank) })
	}
	return err
}

// answer tells a rank where this one takes links, and begins to take them.
func (p *pairing) answer(rank int) {
	p.listening.Do(p.listen)
	ctx, cancel := context.WithTimeout(p.job.life, pairTime)
	defer cancel()
	// Without the answer the other one gives up.
	_ = p.byRoot(ctx, kindAddresses, rank, appendAddresses(nil, p.addresses))
}

func (p *pairing) listen() {
	if p.cfg.Listen == nil {
		return
	}
	listener, addresses, err := p.cfg.Listen()
	if err != nil {
		p.job.log.Warn("takes no links from other ranks", "rank", p.job.rank, "error", err)
		return
	}
	p.addresses = addresses
	p.job.receive(&reception{
		listener: listener, credentials: &p.own, log: p.job.log, opening: map[net.Conn]bool{},
		admit: p.admit, reject: func(string) {}, stuck: func(error, time.Duration) bool { return true },
	})
}

// byRoot writes a frame to another rank that rank 0 puts the key of the two
// behind, also if they have a link by now. What ends ctx, such as Close, does not
// end the write: a frame that is cut off would break the link.
func (p *pairing) byRoot(ctx context.Context, k kind, rank int, body []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	h := header{kind: k, source: uint32(p.job.rank), dest: uint32(rank), length: uint64(len(body))}
	return p.job.mesh.to(0).write(context.WithoutCancel(ctx), h, body)
}

// switches tells a rank, behind all that goes there by the old way, that what
// follows comes by the new one. ctx is as in byRoot.
func (p *pairing) switches(ctx context.Context, rank int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	h := header{kind: kindSwitch, source: uint32(p.job.rank), dest: uint32(rank)}
	_, t, err := p.job.put(context.WithoutCancel(ctx), h, rank, nil)
	if t != nil {
		return t.err
	}
	return err
}

// dial makes the link to a rank that takes links at the given addresses.
func (p *pairing) dial(ctx context.Context, rank int, addresses []string) error {
	s := &search{credentials: p.own, to: rank, cfg: &p.cfg}
	r, err := s.reach(ctx, addresses)
	if err != nil {
		return err
	}
	return p.use(rank, r.conn, func() {})
}

// admit takes a connection that another rank has made. It is used once that one
// uses it, who may give it up until then without a word.
func (p *pairing) admit(conn net.Conn, a *admission, taken func()) error {
	rank := int(a.opener.rank)
	if a.opener.run != p.own.run || rank == 0 {
		return fmt.Errorf("%w: rank %d does not know this job's run", ErrAuth, rank)
	}
	if !p.job.mesh.takes(rank) {
		say(conn, verdictCrossing)
		return errAbandoned
	}
	err := say(conn, verdictWelcome)
	if err == nil {
		select {
		case <-p.job.mesh.comes(rank):
			err = p.use(rank, conn, taken)
		case <-p.job.life.Done():
			err = errAbandoned
		}
	}
	if err != nil {
		p.job.mesh.givesUp(rank)
	}
	return err
}

// use makes conn the way of frames to a rank: it says so by the old way, behind
// all that goes there, and reads from conn when the other one has said so, too.
// There is no way back, so it waits as long as a body takes that is on its way.
// It calls taken before the job has the link.
func (p *pairing) use(rank int, conn net.Conn, taken func()) error {
	conn.SetDeadline(time.Time{})
	life := p.job.life
	sending, _ := p.job.mesh.sending(rank)
	if sending.take(life) != nil {
		conn.Close()
		return context.Cause(life)
	}
	defer sending.release()
	if err := p.switches(life, rank); err != nil {
		conn.Close()
		return err
	}
	l := p.job.newPairLink(p.job.newLink(rank, conn))
	p.job.mayShare(l.stream)
	comes := p.job.mesh.comes(rank)
	taken()
	if !p.job.adopt(l, func() {
		select {
		case <-comes:
		case <-life.Done():
		}
	}) {
		return fmt.Errorf("rank %d is gone, or the job is over", rank)
	}
	if count := p.job.mesh.resumeNoted(rank); count != nil { // the other end has had it, and lost it
		p.job.goOn(l, *count)
	}
	p.job.log.Debug("link of its own", "rank", p.job.rank, "peer", rank, "address", conn.RemoteAddr())
	return nil
}
