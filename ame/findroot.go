package ame

import (
	"context"
	"errors"
)

// findRoot connects to rank 0 at the endpoints that cfg has and that its Newer
// returns, each until there is the next. It returns the last one, too.
func findRoot(ctx context.Context, cfg *Config, me credentials) (reached, Endpoint, error) {
	at := cfg.Root
	for {
		r, next, err := reachUntilNewer(ctx, cfg, at, me)
		if err != nil || r.conn != nil {
			return r, at, err
		}
		at = next
	}
}

// reachUntilNewer returns a connection to rank 0, or none and a newer endpoint.
func reachUntilNewer(ctx context.Context, cfg *Config, at Endpoint, me credentials) (reached, Endpoint, error) {
	s := &search{credentials: me.at(at), cfg: cfg}
	if cfg.Newer == nil {
		r, err := s.reach(ctx, at.Addresses)
		return r, at, err
	}
	if len(at.Addresses) == 0 {
		next, err := newer(ctx, cfg, at)
		return reached{}, next, err
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
		return r.reached, at, nil
	case ctx.Err() == nil && errors.Is(r.err, errNewer):
		return reached{}, next, newerErr
	default:
		return reached{}, at, r.err
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
