package dlp

import (
	"context"
	"errors"

	"github.com/dlp-mpi/dlp-go/ame"
)

// Bcast returns rank 0's v on every rank; what the others pass is ignored.
// Rank 0 gets v itself, the others a value of their own.
//
// A value that cannot be encoded is an error on all ranks, after which c still
// works. After an error of the connections, a cancelled ctx included, it does
// not; see package ame.
func Bcast[T any](ctx context.Context, c *Comm, v T) (T, error) {
	if err := c.idle("bcast"); err != nil {
		var none T
		return none, err
	}
	return bcast(ctx, c, "bcast", v, nil)
}

// bcast sends v from rank 0, or failed in its place, to all ranks.
func bcast[T any](ctx context.Context, c *Comm, op string, v T, failed error) (T, error) {
	var p ame.Payload
	if c.IsRoot() && c.Size() > 1 {
		if failed == nil {
			p, failed = encode(c, v)
		}
		if failed != nil {
			p = errorPayload(failed)
		}
	}
	p, err := c.ame.Bcast(ctx, p)
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
// itself; every other rank gets nil as soon as its own value is on its way.
//
// A value that cannot be encoded is an error on the rank that has it and on
// rank 0, which names each such rank; c still works. After an error of the
// connections, a cancelled ctx included, it does not; see package ame.
func Gather[T any](ctx context.Context, c *Comm, v T) ([]T, error) {
	return gather(ctx, c, "gather", v)
}

func gather[T any](ctx context.Context, c *Comm, op string, v T) ([]T, error) {
	if err := c.idle(op); err != nil {
		return nil, err
	}
	var p ame.Payload
	var failed error
	if !c.IsRoot() {
		if p, failed = encode(c, v); failed != nil {
			p = errorPayload(failed)
		}
	}
	all, err := c.ame.Gather(ctx, p)
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
	err := c.idle(op)
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
