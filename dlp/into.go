package dlp

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// BcastInto copies the numbers in the root's buf, rank 0 or that of Root, into
// that of every other rank. All ranks must call it, in the same order as their
// other collectives, with slices of one type and length; a rank that does not is
// an ErrMismatch on all of them, as is one in another collective. After an error,
// a cancelled ctx included, buf holds anything, and c does not work any more; see
// package ame.
func BcastInto[T Number](ctx context.Context, c *Comm, buf []T, opts ...RootOption) error {
	root, err := ready[[]T](c, "bcast", opts...)
	if err != nil {
		return err
	}
	defer value.Restore(buf)
	return c.ame.BcastInto(ctx, intoCall("bcast", root, buf), viewOf(buf))
}

// GatherInto puts the numbers of all ranks one behind the other, in the order of
// the ranks, into the slice into of the root, rank 0 or that of Root; what the
// others pass there is ignored. All ranks must call it, in the same order as
// their other collectives, with parts of one type and length. If into is not
// Size times as long, that is an error on the root, after which c still works.
// Other errors are as of BcastInto; part stays as it is.
func GatherInto[T Number](ctx context.Context, c *Comm, part, into []T, opts ...RootOption) error {
	root, err := ready[[]T](c, "gather", opts...)
	if err != nil {
		return err
	}
	call := intoCall("gather", root, part)
	defer value.Restore(part)
	if c.Rank() != root {
		return c.ame.GatherInto(ctx, call, viewOf(part), nil)
	}
	if bad := c.roomFor("gather", len(part), len(into)); bad != nil {
		_, err := c.ame.Gather(ctx, call, viewOf(part)) // the others are in it
		return errors.Join(bad, err)
	}
	defer value.Restore(into)
	return c.ame.GatherInto(ctx, call, viewOf(part), value.View(into).Body)
}

// ScatterInto shares out the numbers of the slice whole of the root, rank 0 or that
// of Root, one share behind the other in the order of the ranks: each rank's comes
// to lie in its part. What the others pass as whole is ignored. All ranks must
// call it, in the same order as their other collectives, with parts of one type
// and length. If whole is not Size times as long as the root's part, that is an
// error on all ranks, and a part of another length or type is one on its rank;
// after these c still works. Other errors are as of BcastInto; whole stays as it
// is.
func ScatterInto[T Number](ctx context.Context, c *Comm, whole, part []T, opts ...RootOption) error {
	const name = "scatter"
	root, err := ready[[]T](c, name, opts...)
	if err != nil {
		return err
	}
	var parts []ame.Payload
	var failed error
	if c.Rank() == root {
		if failed = c.roomFor(name, len(part), len(whole)); failed != nil {
			parts = c.failedParts(failed)
		} else {
			defer value.Restore(whole)
			parts = sharesOf(viewOf(whole), c.Size())
		}
	}
	defer value.Restore(part)
	own := viewOf(part)
	got, err := c.ame.ScatterInto(ctx, intoCall(name, root, part), parts, own.Body)
	switch {
	case err != nil || failed != nil:
		return errors.Join(failed, err)
	case got.Format == value.FormatError:
		return c.errorf(name, parseError(got.Body))
	case got.Format != own.Format || len(got.Body) != len(own.Body):
		return c.errorf(name, fmt.Errorf("the root has %d bytes of %s for this rank, which has room for %d of %s",
			len(got.Body), value.FormatName(got.Format), len(own.Body), value.FormatName(own.Format)))
	}
	return nil
}

// sharesOf cuts a vector into as many equal ones.
func sharesOf(p ame.Payload, size int) []ame.Payload {
	shares, length := make([]ame.Payload, size), len(p.Body)/size
	for rank := range shares {
		shares[rank] = ame.Payload{Format: p.Format, Body: p.Body[rank*length : (rank+1)*length]}
	}
	return shares
}

// AllgatherInto is GatherInto on all ranks: each needs an into that is Size
// times as long as part. Where it is not, that is an error on this rank alone.
func AllgatherInto[T Number](ctx context.Context, c *Comm, part, into []T) error {
	if _, err := ready[[]T](c, "allgather"); err != nil {
		return err
	}
	call := intoCall("allgather", 0, part)
	defer value.Restore(part)
	if bad := c.roomFor("allgather", len(part), len(into)); bad != nil {
		into = make([]T, c.Size()*len(part)) // the others are in it
		return errors.Join(bad, c.ame.AllgatherInto(ctx, call, viewOf(part), value.View(into).Body))
	}
	defer value.Restore(into)
	return c.ame.AllgatherInto(ctx, call, viewOf(part), value.View(into).Body)
}

// ReduceInto leaves in each element of the root's buf, rank 0 or that of Root,
// what op makes of the elements in that place on all ranks. The buf of every
// other rank stays as it is. All ranks must call it, in the same order as their
// other collectives, with slices of one type and length and with the same op.
// Errors are as of BcastInto, order and digits as of Allreduce.
func ReduceInto[T Number](ctx context.Context, c *Comm, buf []T, op func(T, T) T, opts ...RootOption) error {
	root, err := readyToFold(c, "reduce", op, opts...)
	if err != nil {
		return err
	}
	defer value.Restore(buf)
	return c.ame.ReduceInto(ctx, intoCall("reduce", root, buf), viewOf(buf), value.Combine(sweepOf(op)))
}

// AllreduceInto is ReduceInto on all ranks, which get the same bits.
func AllreduceInto[T Number](ctx context.Context, c *Comm, buf []T, op func(T, T) T) error {
	if _, err := readyToFold(c, "allreduce", op); err != nil {
		return err
	}
	defer value.Restore(buf)
	width := int(unsafe.Sizeof(*new(T)))
	return c.ame.AllreduceInto(ctx, intoCall("allreduce", 0, buf), viewOf(buf), width, value.Combine(sweepOf(op)))
}

// intoCall is what ame is told of a collective on slices.
func intoCall[T Number](name string, root int, buf []T) ame.Call {
	return ame.Call{Name: name, Root: root, Count: len(buf)}
}

func viewOf[T Number](buf []T) ame.Payload { return ame.Payload(value.View(buf)) }

// roomFor returns an error if into does not hold the parts of all ranks.
func (c *Comm) roomFor(name string, part, into int) error {
	if into == part*c.Size() {
		return nil
	}
	return c.errorf(name, fmt.Errorf("room for %d numbers, where %d ranks have %d each", into, c.Size(), part))
}
