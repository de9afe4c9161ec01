package dlp

import (
	"context"
	"errors"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// Bcast returns the v of the root, rank 0 or that of Root, on every rank; what
// the others pass is ignored. All ranks must call it. The root gets v itself,
// the others a value of their own. If something is in an interface, the root
// gets what the others get; see the package comment.
//
// A type of which something would be lost is an error on all ranks before
// anything is sent, a value that cannot be encoded is one on all ranks as well.
// After both c still works. After an error of the connections, a cancelled ctx
// included, it does not; see package ame.
func Bcast[T any](ctx context.Context, c *Comm, v T, opts ...RootOption) (T, error) {
	const op = "bcast"
	root, err := ready[T](c, op, opts...)
	if err != nil {
		var none T
		return none, err
	}
	return bcast(ctx, c, ame.Call{Name: op, Root: root}, v, nil)
}

// ready returns the root of a collective that is about to begin, or why it
// cannot: c is of no use for it, values of type T would not arrive whole, or the
// root is no rank. Nothing is sent.
func ready[T any](c *Comm, op string, opts ...RootOption) (root int, err error) {
	if err := c.idle(op); err != nil {
		return 0, err
	}
	if err := check[T](c, op); err != nil {
		return 0, err
	}
	return c.rootOf(op, opts)
}

// bcast sends v from the root, or failed in its place, to all ranks.
func bcast[T any](ctx context.Context, c *Comm, call ame.Call, v T, failed error) (T, error) {
	var p ame.Payload
	isRoot := c.Rank() == call.Root
	if isRoot {
		if failed == nil && c.Size() == 1 {
			v, failed = value.Own(c.codec, v)
		} else if failed == nil {
			p, v, failed = encodeOwn(c, v)
		}
		if failed != nil {
			p = errorPayload(failed)
		}
	}
	p, err := c.ame.Bcast(ctx, call, p)
	var none T
	switch {
	case err != nil:
		return none, err
	case isRoot && failed != nil:
		return none, c.errorf(call.Name, failed)
	case isRoot:
		return v, nil
	}
	v, err = decode[T](c, p)
	if err != nil {
		return none, c.errorf(call.Name, c.fromRank(call.Root, err))
	}
	return v, nil
}

// Gather collects one value from every rank on the root: rank 0, or that of
// Root. All ranks must call it.
//
// The root gets Size values, indexed by rank; its own is v itself, but for what
// is in an interface, as of Bcast. Every other rank gets nil as soon as its own
// value is on its way; on the root's node a long one may have to be taken first.
//
// A type of which something would be lost is an error on all ranks before
// anything is sent. A value that cannot be encoded is one on the rank that has
// it and on the root, which names each such rank. After both c still works. After
// an error of the connections, a cancelled ctx included, it does not; see
// package ame.
func Gather[T any](ctx context.Context, c *Comm, v T, opts ...RootOption) ([]T, error) {
	return gather(ctx, c, "gather", v, opts...)
}

func gather[T any](ctx context.Context, c *Comm, op string, v T, opts ...RootOption) ([]T, error) {
	root, err := ready[T](c, op, opts...)
	if err != nil {
		return nil, err
	}
	var p ame.Payload
	var failed error
	isRoot := c.Rank() == root
	if isRoot {
		v, failed = value.Own(c.codec, v)
	} else if p, failed = encode(c, v); failed != nil {
		p = errorPayload(failed)
	}
	all, err := c.ame.Gather(ctx, ame.Call{Name: op, Root: root}, p)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, c.errorf(op, failed)
	}
	if !isRoot {
		return nil, nil
	}
	return decodeAll(c, op, all, v)
}

// decodeAll makes values of the payloads of all ranks; this rank's is own.
// An error names each rank whose value is none.
func decodeAll[T any](c *Comm, op string, all []ame.Payload, own T) ([]T, error) {
	values := make([]T, len(all))
	var errs []error
	for rank := range all {
		if rank == c.Rank() {
			values[rank] = own
			continue
		}
		var err error
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
	call := ame.Call{Name: op}
	if _, err := ready[T](c, op); err != nil {
		return v, err
	}
	var err error
	if c.IsRoot() {
		returned := false
		defer func() {
			if !returned {
				_, _ = bcast(ctx, c, call, v, unreturned("its function was left"))
			}
		}()
		v, err = fn()
		returned = true
	}
	return bcast(ctx, c, call, v, err)
}
