package dlp

import (
	"context"
	"errors"
	"fmt"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// Scatter returns on each rank the value that the root, rank 0 or that of Root,
// has for it: the root's values has one for each rank, in their order. What the
// others pass is ignored. All ranks must call it, in the same order as their
// other collectives. The root returns when all is on its way.
//
// A wrong number of values is an error on all ranks, a value that cannot be
// encoded one on its rank and on the root, a type of which something would be
// lost one on all ranks before anything is sent. After these c still works. After
// an error of the connections, a cancelled ctx included, it does not; see
// package ame.
func Scatter[T any](ctx context.Context, c *Comm, values []T, opts ...RootOption) (T, error) {
	return scatter(ctx, c, "scatter", opts, func() ([]T, error) { return values, nil })
}

// scatter is Scatter of what list returns on the root.
func scatter[T any](ctx context.Context, c *Comm, name string, opts []RootOption, list func() ([]T, error)) (T, error) {
	root, err := ready[T](c, name, opts...)
	if err != nil {
		return *new(T), err
	}
	var parts []ame.Payload
	var failed error
	if c.Rank() == root {
		values, err := list()
		if err != nil {
			parts, failed = c.failedParts(err), err
		} else {
			parts, failed = encodeEach(c, values)
		}
	}
	p, err := c.ame.Scatter(ctx, ame.Call{Name: name, Root: root}, parts)
	if err != nil {
		return *new(T), err
	}
	return folded[T](c, name, p, failed)
}

// Scatterv shares out the root's values: rank r gets counts[r] of them, one
// after the other in the order of the ranks. With nil counts the shares are as
// equal as they can be, the first ones longer by one where they are not. What
// the other ranks pass is ignored. On the root the share is a part of values, on
// the others a slice of their own.
//
// Counts that are not one for each rank, or do not add up to the number of
// values, are an error on all ranks, after which c still works. The rest is as
// of Scatter.
func Scatterv[T any](ctx context.Context, c *Comm, values []T, counts []int, opts ...RootOption) ([]T, error) {
	return scatter(ctx, c, "scatterv", opts, func() ([][]T, error) { return cut(values, counts, c.Size()) })
}

// cut shares out values by counts.
func cut[T any](values []T, counts []int, size int) ([][]T, error) {
	if counts == nil {
		counts = make([]int, size)
		for rank := range counts {
			counts[rank] = (len(values) + size - 1 - rank) / size
		}
	}
	if len(counts) != size {
		return nil, fmt.Errorf("%d counts for %d ranks", len(counts), size)
	}
	shares, rest := make([][]T, size), values
	for rank, n := range counts {
		if n < 0 || n > len(rest) {
			return nil, fmt.Errorf("counts %v do not share out %d values", counts, len(values))
		}
		shares[rank], rest = rest[:n:n], rest[n:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("counts %v leave %d of %d values", counts, len(rest), len(values))
	}
	return shares, nil
}

// Gatherv collects on the root, rank 0 or that of Root, what the ranks have, any
// number of values each, one behind the other in the order of the ranks. Every
// other rank gets nil. The rest is as of Gather, which keeps apart what comes
// from different ranks.
func Gatherv[T any](ctx context.Context, c *Comm, part []T, opts ...RootOption) ([]T, error) {
	parts, err := gather(ctx, c, "gatherv", part, opts...)
	if err != nil || parts == nil {
		return nil, err
	}
	return joined(parts), nil
}

// joined are the values of all parts, which it lets go of.
func joined[T any](parts [][]T) []T {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	all := make([]T, 0, n)
	for rank, part := range parts {
		all = append(all, part...)
		parts[rank] = nil
	}
	return all
}

// Allgather returns on every rank the values of all ranks, by rank; its own is v
// itself, but for what is in an interface, as of Bcast. All ranks must call it,
// in the same order as their other collectives. With slices of any length it is
// what MPI calls Allgatherv.
//
// A type of which something would be lost is an error on all ranks before
// anything is sent. A value that cannot be encoded is one on all ranks, which
// names the rank. After both c still works. After an error of the connections,
// a cancelled ctx included, it does not; see package ame.
func Allgather[T any](ctx context.Context, c *Comm, v T) ([]T, error) {
	const name = "allgather"
	if _, err := ready[T](c, name); err != nil {
		return nil, err
	}
	p, v, failed := encodeOwn(c, v)
	if failed != nil {
		p = errorPayload(failed)
	}
	all, err := c.ame.Allgather(ctx, ame.Call{Name: name}, p)
	if err != nil {
		return nil, err
	}
	values, err := decodeAll(c, name, all, v)
	if failed != nil {
		return nil, c.errorf(name, failed)
	}
	return values, err
}

// Alltoall sends each rank a value of its own, values[rank], and returns what
// the ranks have for this one, by rank. All ranks must call it, in the same
// order as their other collectives. With slices of any length it is what MPI
// calls Alltoallv.
//
// A rank with a wrong number of values makes it an error on all ranks. A value
// that cannot be encoded is one on the rank that has it and on the rank that it
// is for. After both, and where a type would lose something, c still works. After
// an error of the connections, a cancelled ctx included, it does not; see
// package ame.
func Alltoall[T any](ctx context.Context, c *Comm, values []T) ([]T, error) {
	const name = "alltoall"
	if _, err := ready[T](c, name); err != nil {
		return nil, err
	}
	parts, failed := encodeEach(c, values)
	all, err := c.ame.Alltoall(ctx, ame.Call{Name: name}, parts)
	if err != nil {
		return nil, err
	}
	var own T
	if failed == nil {
		own, failed = value.OwnOf(c.codec, values[c.Rank()], value.Payload(parts[c.Rank()]))
	}
	got, err := decodeAll(c, name, all, own)
	if failed != nil {
		return nil, c.errorf(name, failed)
	}
	return got, err
}

// encodeEach makes payloads of one value for each rank. In place of one that
// cannot be encoded, and of all if their number is wrong, there is the error.
func encodeEach[T any](c *Comm, values []T) ([]ame.Payload, error) {
	if len(values) != c.Size() {
		err := fmt.Errorf("%d values for %d ranks", len(values), c.Size())
		return c.failedParts(err), err
	}
	parts := make([]ame.Payload, len(values))
	var errs []error
	for rank, v := range values {
		var err error
		if parts[rank], err = encode(c, v); err != nil {
			errs = append(errs, fmt.Errorf("value for rank %d: %w", rank, err))
			parts[rank] = c.failedPayload(err)
		}
	}
	return parts, errors.Join(errs...)
}

// failedParts takes the place of the values for all ranks.
func (c *Comm) failedParts(err error) []ame.Payload {
	parts := make([]ame.Payload, c.Size())
	for rank := range parts {
		parts[rank] = c.failedPayload(err)
	}
	return parts
}
