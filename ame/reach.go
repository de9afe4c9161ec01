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

// search is one rank's way to another one at some addresses.
type search struct {
	credentials
	to  int // rank
	cfg *Config
}

// reached is a connection that the other end has accepted.
type reached struct {
	conn net.Conn
	run  run // of the other end
}

// greeted is a connection over which the other end has proved itself.
type greeted struct {
	reached
	answer []byte
	failed chan error // gets why the other end has not accepted it after all
}

var (
	errWon   = errors.New("another address was faster")
	errStop  = errors.New("no address in time")
	errNewer = errors.New("rank 0 has been seen elsewhere")
	errCross = errors.New("it is making a link to this rank itself")
	errTwice = errors.New("it has a rank of our number already: " + twiceAdvice)
)

// reach tries all addresses side by side, each again and again until ctx ends,
// and returns the first connection that the other end has accepted.
func (s *search) reach(ctx context.Context, addresses []string) (reached, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	winners := make(chan greeted)
	attempts := make([]attempt, len(addresses))
	var wg sync.WaitGroup
	for i, address := range addresses {
		attempts[i] = attempt{search: s, address: address}
		wg.Go(func() { attempts[i].run(ctx, winners) })
	}
	r, err := firstAccepted(ctx, winners)
	cancel(errWon)
	wg.Wait()
	if errors.Is(err, errStop) {
		return reached{}, s.unreachable(ctx, attempts)
	}
	return r, err
}

// firstAccepted goes on with the first connection that greets well.
func firstAccepted(ctx context.Context, winners chan greeted) (reached, error) {
	for {
		select {
		case w := <-winners:
			stop := context.AfterFunc(ctx, func() { w.conn.Close() })
			v, err := prove(w.conn, w.answer)
			if !stop() {
				return reached{}, errStop
			}
			switch {
			case err == nil && v == verdictWelcome:
				w.conn.SetDeadline(time.Time{})
				return w.reached, nil
			case err == nil && v == verdictDuplicate:
				w.conn.Close()
				return reached{}, errTwice
			case err == nil && v == verdictCrossing:
				w.conn.Close()
				return reached{}, errCross
			case err == nil && v == verdictElsewhere:
				err = errors.New("it runs another program of this task")
			default:
				err = errors.New("closed after the handshake")
			}
			w.conn.Close()
			w.failed <- err // its address goes on trying
		case <-ctx.Done():
			return reached{}, errStop
		}
	}
}

// attempt is what has become of one address.
type attempt struct {
	*search
	address string
	err     error // of the last try
}

// Pauses between two tries of an address; they double.
const (
	firstPause = 10 * time.Millisecond
	longPause  = time.Second
)

// run tries one address until it is told to stop.
func (a *attempt) run(ctx context.Context, winners chan<- greeted) {
	pause := firstPause
	for ctx.Err() == nil {
		g, err := a.try(ctx)
		if err == nil {
			select {
			case winners <- g:
			case <-ctx.Done():
				g.conn.Close()
				return
			}
			select {
			case err = <-g.failed:
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() == nil || a.err == nil {
			a.err = err
		}
		a.cfg.Logger.Debug("dial", "rank", a.rank, "address", a.address, "error", err)
		wait := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
		pause = min(2*pause, longPause)
	}
}

func (a *attempt) try(ctx context.Context) (greeted, error) {
	conn, err := a.cfg.Dial(ctx, a.address)
	if err != nil {
		return greeted{}, err
	}
	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	o := a.open(a.to)
	var answer []byte
	secured, err := a.encryption.dial(conn)
	if err == nil {
		answer, err = greet(secured, o)
	}
	if !stop() && (err == nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		err = errors.New("takes connections but has not greeted in time")
	}
	if err != nil {
		conn.Close()
		return greeted{}, err
	}
	return greeted{reached{secured, o.theirs.run}, answer, make(chan error, 1)}, nil
}

// unreachable says what was tried, sorted, and what became of it.
func (s *search) unreachable(ctx context.Context, attempts []attempt) error {
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
	return fmt.Errorf("cannot be reached from %s: %w; tried %s", s.cfg.Host, why, strings.Join(tries, "; "))
}
