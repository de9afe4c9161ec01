package dlp

import (
	"context"
	"errors"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// Bcast returns rank 0's v on every rank; what the others pass is ignored.
// Rank 0 gets v itself, the others a value of their own. If something is in an
// interface, rank 0 gets what the others get; see the package comment.
//
// A type of which something would be lost is an error on all ranks before
// anything is sent, a value that cannot be encoded is one on all ranks as well.
// After both c still works. After an error of the connections, a cancelled ctx
// included, it does not; see package ame.
func Bcast[T any](ctx context.Context, c *Comm, v T) (T, error) {
	const op = "bcast"
	if err := errors.Join(c.idle(op), check[T](c, op)); err != nil {
		var none T
		return none, err
	}
	return bcast(ctx, c, op, v, nil)
}

// bcast sends v from rank 0, or failed in its place, to all ranks.
func bcast[T any](ctx context.Context, c *Comm, op string, v T, failed error) (T, error) {
	var p ame.Payload
	if c.IsRoot() {
		if failed == nil {
			v, failed = value.Own(c.codec, v)
		}
		if failed == nil && c.Size() > 1 {
			p, failed = encode(c, v)
		}
		if failed != nil {
			p = errorPayload(failed)
		}
	}
	p, err := c.ame.Bcast(ctx, ame.Call{Name: op}, p)
	var none T
	switch {
	case err != nil:
		return none, err
	case c.IsRoot() && failed != nil:
		return none, c.errorf(op, failed)
	case c.IsRoot():
		return v, nil
	}
	v, err = decode[T](c, p)
	if err != nil {
		return none, c.errorf(op, c.fromRank(0, err))
	}
	return v, nil
}

// Gather collects one value from every rank on rank 0.
//
// Rank 0 gets Size values, indexed by rank, the first of which is its v
// itself, but for what is in an interface, as of Bcast. Every other rank gets
// nil as soon as its own value is on its way.
//
// A type of which something would be lost is an error on all ranks before
// anything is sent. A value that cannot be encoded is one on the rank that has
// it and on rank 0, which names each such rank. After both c still works. After
// an error of the connections, a cancelled ctx included, it does not; see
// package ame.
func Gather[T any](ctx context.Context, c *Comm, v T) ([]T, error) {
	return gather(ctx, c, "gather", v)
}

func gather[T any](ctx context.Context, c *Comm, op string, v T) ([]T, error) {
	if err := errors.Join(c.idle(op), check[T](c, op)); err != nil {
		return nil, err
	}
	var p ame.Payload
	var failed error
	if c.IsRoot() {
		v, failed = value.Own(c.codec, v)
	} else if p, failed = encode(c, v); failed != nil {
		p = errorPayload(failed)
	}
	all, err := c.ame.Gather(ctx, ame.Call{Name: op}, p)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, c.errorf(op, failed)
	}
	if !c.IsRoot() {
		return nil, nil
	}
	values := make([]T, len(all))
	values[0] = v
	var errs []error
	for rank := 1; rank < len(all); rank++ {
		if values[rank], err = decode[T](c, all[rank]); err != nil {
			errs = append(errs, c.fromRank(rank, err))
		}
		all[rank] = ame.Payload{} // decoded: let its memory go
	}
	if errs != nil {
		return nil, c.errorf(op, errors.Join(errs...))
	}
	return values, nil
}

// CallOnRoot runs fn on rank 0 alone and returns its value, or its error, on
// every rank: to read a file once, or to draw a random seed that all share.
// When fn panics, the other ranks get an error and rank 0 the panic. fn must
// not use c.
func CallOnRoot[T any](ctx context.Context, c *Comm, fn func() (T, error)) (T, error) {
	const op = "call on root"
	var v T
	err := errors.Join(c.idle(op), check[T](c, op))
	if err != nil {
		return v, err
	}
	if c.IsRoot() {
		returned := false
		defer func() {
			if !returned {
				_, _ = bcast(ctx, c, op, v, errors.New("its function has not returned; its own output says why"))
			}
		}()
		v, err = fn()
		returned = true
	}
	return bcast(ctx, c, op, v, err)
}
