package dlp

import (
	"cmp"
	"context"
	"errors"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// Reduce returns on the root, rank 0 or that of Root, what op makes of the
// values of all ranks. Every other rank gets the zero value, as soon as its
// part is on its way. All ranks must call it, in the same order as their other
// collectives, and with the same op. For order, digits and errors see Allreduce.
func Reduce[T any](ctx context.Context, c *Comm, v T, op func(T, T) T, opts ...RootOption) (T, error) {
	root, err := readyToFold(c, "reduce", op, opts...)
	if err != nil {
		return *new(T), err
	}
	call := ame.Call{Name: "reduce", Root: root}
	return fold(ctx, c, call, v, op, c.Rank() == root, (*ame.Comm).Reduce)
}

// Allreduce returns on every rank what op makes of the values of all ranks: the
// same bits on each. All ranks must call it, in the same order as their other
// collectives, and with the same op.
//
// The operands keep the order of the ranks, so op need not be commutative: it
// gets what lower ranks have come to first. How they are bracketed depends on
// the number of ranks alone, so with floating point the digits are the same from
// run to run, and those of Reduce, ReduceScatter and the forms into slices are
// the same as these. A row of operands is cut at the largest power of two below
// its length, and so is each part: ((01)(23))((45)6).
//
// op runs on any rank, in the goroutine of the caller. It must depend on its
// operands alone and must not change them; it may return one of them. The
// result may share memory with v. When op panics, the others get an error as
// soon as the panic has ended this rank.
//
// A type of which something would be lost is an error on all ranks before
// anything is sent. A value that cannot be encoded is one on the rank that has
// it, and on every rank whose result it would be in, with the name of the rank.
// After both c still works. After an error of the connections, a cancelled ctx
// included, it does not; see package ame.
func Allreduce[T any](ctx context.Context, c *Comm, v T, op func(T, T) T) (T, error) {
	if _, err := readyToFold(c, "allreduce", op); err != nil {
		return *new(T), err
	}
	return fold(ctx, c, ame.Call{Name: "allreduce"}, v, op, true, (*ame.Comm).Allreduce)
}

// Scan returns on each rank what op makes of the values of rank 0 up to its own;
// on rank 0 that is its v. All ranks must call it, in the same order as their
// other collectives, and with the same op. How the operands are bracketed
// depends on the rank alone. For order and errors see Allreduce.
func Scan[T any](ctx context.Context, c *Comm, v T, op func(T, T) T) (T, error) {
	if _, err := readyToFold(c, "scan", op); err != nil {
		return *new(T), err
	}
	return fold(ctx, c, ame.Call{Name: "scan"}, v, op, true, (*ame.Comm).Scan)
}

// Exscan is Scan without this rank's own value: it returns what Scan does on the
// rank before, and the zero value on rank 0.
func Exscan[T any](ctx context.Context, c *Comm, v T, op func(T, T) T) (T, error) {
	if _, err := readyToFold(c, "exscan", op); err != nil {
		return *new(T), err
	}
	return fold(ctx, c, ame.Call{Name: "exscan"}, v, op, c.Rank() > 0, (*ame.Comm).Exscan)
}

// ReduceScatter returns on each rank what op makes of the values that all ranks
// have for it: values has one for each rank. All ranks must call it, in the same
// order as their other collectives, and with the same op. A rank with another
// number of values makes it an error on all ranks. For order, digits and errors
// see Allreduce.
func ReduceScatter[T any](ctx context.Context, c *Comm, values []T, op func(T, T) T) (T, error) {
	const name = "reduce scatter"
	if _, err := readyToFold(c, name, op); err != nil {
		return *new(T), err
	}
	parts, failed := encodeEach(c, values)
	p, err := c.ame.ReduceScatter(ctx, ame.Call{Name: name}, parts, foldOf(c, op))
	if err != nil {
		return *new(T), err
	}
	return folded[T](c, name, p, failed)
}

// readyToFold is ready for a reduction by op.
func readyToFold[T any](c *Comm, name string, op func(T, T) T, opts ...RootOption) (root int, err error) {
	root, err = ready[T](c, name, opts...)
	if err == nil && op == nil {
		err = c.errorf(name, errors.New("the operation is nil"))
	}
	return root, err
}

// fold does a reduction of one value of each rank. gets says whether this rank
// gets a result.
func fold[T any](ctx context.Context, c *Comm, call ame.Call, v T, op func(T, T) T, gets bool,
	do func(*ame.Comm, context.Context, ame.Call, ame.Payload, ame.Fold) (ame.Payload, error)) (T, error) {
	p, failed := encode(c, v)
	return foldEncoded(ctx, c, call, p, failed, op, gets, do)
}

// foldEncoded is fold of a value that is a payload, or failed in its place.
func foldEncoded[T any](ctx context.Context, c *Comm, call ame.Call, p ame.Payload, failed error, op func(T, T) T, gets bool,
	do func(*ame.Comm, context.Context, ame.Call, ame.Payload, ame.Fold) (ame.Payload, error)) (T, error) {
	if failed != nil {
		p = c.failedPayload(failed)
	}
	p, err := do(c.ame, ctx, call, p, foldOf(c, op))
	switch {
	case err != nil:
		return *new(T), err
	case !gets && failed != nil:
		return *new(T), c.errorf(call.Name, failed)
	case !gets:
		return *new(T), nil
	}
	return folded[T](c, call.Name, p, failed)
}

// folded is the result of a reduction; failed is why this rank had no operand.
func folded[T any](c *Comm, name string, p ame.Payload, failed error) (T, error) {
	v, err := decode[T](c, p)
	if err = cmp.Or(failed, err); err != nil {
		return *new(T), c.errorf(name, err)
	}
	return v, nil
}

// failedPayload takes the place of an operand that this rank has not.
func (c *Comm) failedPayload(err error) ame.Payload {
	return errorPayload(c.fromRank(c.Rank(), err))
}

// foldOf is op on values as they travel. In place of a value there may be why
// there is none, which is then the result.
func foldOf[T any](c *Comm, op func(T, T) T) ame.Fold {
	return func(low, high ame.Payload) (ame.Payload, error) {
		for _, p := range []ame.Payload{low, high} {
			if p.Format == value.FormatError {
				return p, nil
			}
		}
		a, err := decode[T](c, low)
		if err != nil {
			return errorPayload(err), nil
		}
		b, err := decode[T](c, high)
		if err != nil {
			return errorPayload(err), nil
		}
		p, err := encode(c, op(a, b))
		if err != nil {
			return c.failedPayload(err), nil
		}
		return p, nil
	}
}
