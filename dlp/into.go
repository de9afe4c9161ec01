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

// AllgatherInto is GatherInto on all ranks: each needs an into that is Size
// times as long as part. Where it is not, that is an error on this rank alone.
func AllgatherInto[T Number](ctx context.Context, c *Comm, part, into []T) error {
	if _, err := ready[[]T](c, "allgather"); err != nil {
		return err
	}
	call := intoCall("allgather", 0, part)
	defer value.Restore(part)
	if bad := c.roomFor("allgather", len(part), len(into)); bad != nil {
		_, err := c.ame.Allgather(ctx, call, viewOf(part)) // the others are in it
		return errors.Join(bad, err)
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
	return c.ame.ReduceInto(ctx, intoCall("reduce", root, buf), viewOf(buf), value.Combine(op))
}

// AllreduceInto is ReduceInto on all ranks, which get the same bits.
func AllreduceInto[T Number](ctx context.Context, c *Comm, buf []T, op func(T, T) T) error {
	if _, err := readyToFold(c, "allreduce", op); err != nil {
		return err
	}
	defer value.Restore(buf)
	width := int(unsafe.Sizeof(*new(T)))
	return c.ame.AllreduceInto(ctx, intoCall("allreduce", 0, buf), viewOf(buf), width, value.Combine(op))
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
