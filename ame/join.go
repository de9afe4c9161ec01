package ame

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// joinRoot is the start-up of every rank but 0: it connects to rank 0 and
// waits to be welcomed.
func (j *job) joinRoot(ctx context.Context, cfg *Config) error {
	conn, root, err := findRoot(ctx, cfg)
	j.peers[0].Host = root.Host
	if err != nil {
		return j.errorf("connect", 0, err)
	}
	l := newLink(0, conn)
	h := header{kind: kindJoin, source: uint32(j.rank)}
	if err := l.write(ctx, &h, appendPeer(nil, Peer{Host: cfg.Host, PID: os.Getpid()})); err != nil {
		conn.Close()
		return j.errorf("connect", 0, err)
	}
	if err := j.awaitWelcome(ctx, l); err != nil {
		conn.Close()
		return err
	}
	j.adopt(l, j.peers[0])
	return nil
}

// deadlineGrace is how much longer than to its own start-up deadline a rank
// that is connected waits for rank 0, whose error names the missing ranks.
const deadlineGrace = 5 * time.Second

// awaitWelcome reads the first frame of rank 0.
func (j *job) awaitWelcome(ctx context.Context, l *link) error {
	set := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		end := time.Unix(1, 0)
		if ctx.Err() == context.DeadlineExceeded {
			end = time.Now().Add(deadlineGrace)
		}
		l.conn.SetReadDeadline(end)
		close(set)
	})
	h, body, err := l.read()
	if !stop() {
		<-set
		l.conn.SetReadDeadline(time.Time{})
		if err != nil {
			return j.errorf("connect", 0, fmt.Errorf("connected, then waited for the other ranks: %w", context.Cause(ctx)))
		}
	}
	switch {
	case err != nil:
		return j.errorf("connect", 0, &failure{reason: reasonLost, text: lossText(err)})
	case h.kind == kindFail:
		f, err := parseFailure(body, j.size)
		if err != nil {
			return j.errorf("connect", 0, err)
		}
		return j.errorf("connect", f.peer, f)
	case h.kind != kindWelcome:
		return j.errorf("connect", 0, fmt.Errorf("%v frame instead of a welcome", h.kind))
	}
	peers, rest, err := parseDirectory(body, j.size)
	if err != nil {
		return j.errorf("connect", 0, err)
	}
	j.peers = peers
	j.joinSegment(rest)
	return nil
}

// greeted is a connection over which rank 0 has proved itself.
type greeted struct {
	conn   net.Conn
	answer []byte
	failed chan struct{} // closed when rank 0 has not accepted it after all
}

// reachRoot tries all addresses of rank 0 side by side, each again and again
// until ctx ends, and returns the first connection that rank 0 has accepted.
func reachRoot(ctx context.Context, cfg *Config) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	winners := make(chan greeted)
	attempts := make([]attempt, len(cfg.Root.Addresses))
	var wg sync.WaitGroup
	for i, address := range cfg.Root.Addresses {
		attempts[i].address = address
		wg.Go(func() { attempts[i].run(ctx, cfg, winners) })
	}
	conn, err := firstAccepted(ctx, winners)
	cancel(errWon)
	wg.Wait()
	if err == nil {
		return conn, nil
	}
	if !errors.Is(err, errStop) {
		return nil, err
	}
	return nil, unreachable(ctx, cfg, attempts)
}

// findRoot is reachRoot at the endpoints that cfg has and that its Newer
// returns, each until there is the next. It returns the last one, too.
func findRoot(ctx context.Context, cfg *Config) (net.Conn, Endpoint, error) {
	if cfg.Newer == nil {
		conn, err := reachRoot(ctx, cfg)
		return conn, cfg.Root, err
	}
	at := *cfg
	for {
		conn, next, err := reachUntilNewer(ctx, &at)
		if err != nil || conn != nil {
			return conn, at.Root, err
		}
		at.Root = next
	}
}

// reachUntilNewer returns a connection to rank 0, or none and a newer endpoint.
func reachUntilNewer(ctx context.Context, cfg *Config) (conn net.Conn, next Endpoint, err error) {
	trying, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	reached := make(chan error, 1)
	if len(cfg.Root.Addresses) > 0 {
		go func() {
			var err error
			conn, err = reachRoot(trying, cfg)
			reached <- err
			stop(errWon)
		}()
	}
	next, newerErr := cfg.Newer(trying, cfg.Root)
	if newerErr == nil {
		newerErr = next.check()
	}
	if len(cfg.Root.Addresses) == 0 {
		return nil, next, newerErr
	}
	stop(errNewer)
	err = <-reached
	switch {
	case conn != nil:
		return conn, next, nil
	case ctx.Err() != nil || !errors.Is(err, errNewer):
		return nil, next, err
	}
	return nil, next, newerErr
}

var (
	errWon   = errors.New("another address was faster")
	errStop  = errors.New("no address in time")
	errNewer = errors.New("rank 0 has been seen elsewhere")
)

// firstAccepted goes on with the first connection that greets well.
func firstAccepted(ctx context.Context, winners chan greeted) (net.Conn, error) {
	for {
		select {
		case w := <-winners:
			stop := context.AfterFunc(ctx, func() { w.conn.Close() })
			v, err := answerRoot(w.conn, w.answer)
			if !stop() {
				return nil, errStop
			}
			switch {
			case err == nil && v == verdictWelcome:
				w.conn.SetDeadline(time.Time{})
				return w.conn, nil
			case err == nil && v == verdictDuplicate:
				w.conn.Close()
				return nil, errors.New("it has a rank of our number already: was this program started twice?")
			}
			w.conn.Close()
			close(w.failed) // its address goes on trying
		case <-ctx.Done():
			return nil, errStop
		}
	}
}

// attempt is what has become of one address.
type attempt struct {
	address string
	err     error // of the last try
}

// run tries one address until it is told to stop.
func (a *attempt) run(ctx context.Context, cfg *Config, winners chan<- greeted) {
	pause := 10 * time.Millisecond
	for ctx.Err() == nil {
		g, err := a.try(ctx, cfg)
		if err == nil {
			select {
			case winners <- g:
			case <-ctx.Done():
				g.conn.Close()
				return
			}
			select {
			case <-g.failed:
			case <-ctx.Done():
				return
			}
			err = errors.New("closed after the handshake")
		}
		if ctx.Err() == nil || a.err == nil {
			a.err = err
		}
		cfg.Logger.Debug("dial", "rank", cfg.Rank, "address", a.address, "error", err)
		wait := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
		pause = min(2*pause, time.Second)
	}
}

func (a *attempt) try(ctx context.Context, cfg *Config) (greeted, error) {
	conn, err := cfg.Dial(ctx, a.address)
	if err != nil {
		return greeted{}, err
	}
	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	answer, err := greetRoot(conn, cfg)
	if !stop() && (err == nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		err = errors.New("takes connections but has not greeted in time")
	}
	if err != nil {
		conn.Close()
		return greeted{}, err
	}
	return greeted{conn, answer, make(chan struct{})}, nil
}

// unreachable says what was tried, sorted, and what became of it.
func unreachable(ctx context.Context, cfg *Config, attempts []attempt) error {
	tries := make([]string, len(attempts))
	for i, a := range attempts {
		if a.err == nil {
			a.err = errors.New("no answer")
		}
		text := a.err.Error()
		if !strings.Contains(text, a.address) {
			text = a.address + ": " + text
		}
		tries[i] = text
	}
	slices.Sort(tries)
	why := ErrTimeout
	if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) && cause != errWon {
		why = cause
	}
	return fmt.Errorf("cannot be reached from %s: %w; tried %s", cfg.Host, why, strings.Join(tries, "; "))
}
