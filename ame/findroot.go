package ame

import (
	"context"
	"errors"
	"net"
)

// findRoot connects to rank 0 at the endpoints that cfg has and that its Newer
// returns, each until there is the next. It returns the last one, too.
func findRoot(ctx context.Context, cfg *Config, i instance) (net.Conn, Endpoint, error) {
	at := cfg.Root
	for {
		conn, next, err := reachUntilNewer(ctx, cfg, at, i)
		if err != nil || conn != nil {
			return conn, at, err
		}
		at = next
	}
}

// reachUntilNewer returns a connection to rank 0, or none and a newer endpoint.
func reachUntilNewer(ctx context.Context, cfg *Config, at Endpoint, i instance) (net.Conn, Endpoint, error) {
	s := &search{
		credentials: credentials{rank: cfg.Rank, size: cfg.Size, job: at.Job, key: at.Key, instance: i},
		dial:        cfg.Dial, cfg: cfg,
	}
	if cfg.Newer == nil {
		r, err := s.reach(ctx, at.Addresses)
		return r.conn, at, err
	}
	if len(at.Addresses) == 0 {
		next, err := newer(ctx, cfg, at)
		return nil, next, err
	}
	trying, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	type result struct {
		reached
		err error
	}
	done := make(chan result, 1)
	go func() {
		r, err := s.reach(trying, at.Addresses)
		done <- result{r, err}
		stop(errWon)
	}()
	next, newerErr := newer(trying, cfg, at)
	stop(errNewer)
	switch r := <-done; {
	case r.conn != nil:
		return r.conn, at, nil
	case ctx.Err() == nil && errors.Is(r.err, errNewer):
		return nil, next, newerErr
	default:
		return nil, at, r.err
	}
}

// newer is cfg.Newer, which must return something that can be used.
func newer(ctx context.Context, cfg *Config, have Endpoint) (Endpoint, error) {
	next, err := cfg.Newer(ctx, have)
	if err == nil {
		err = next.check()
	}
	return next, err
}
