package dlp

import (
	"context"
	"sync"
)

// UnorderedList collects values on all ranks during a loop, to be brought
// together on rank 0 when it is over. While working it is write-only.
//
//	list := dlp.NewUnorderedList[Score](world)
//	for ex, err := range dlp.SplitManaged(ctx, world, examples) {
//		...
//		list.Append(evaluate(ex))
//	}
//	scores, err := list.Gather(ctx) // all of them on rank 0
type UnorderedList[T any] struct {
	comm *Comm

	mu     sync.Mutex
	values []T
}

// NewUnorderedList returns an empty list. It sends nothing; each rank makes
// its own.
func NewUnorderedList[T any](c *Comm) *UnorderedList[T] { return &UnorderedList[T]{comm: c} }

// Append adds values to this rank's part. It sends nothing and may be called
// from several goroutines.
func (l *UnorderedList[T]) Append(values ...T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.values = append(l.values, values...)
}

// Gather collects what all ranks have appended. All ranks must call it, in the
// same order as their other collectives.
//
// Rank 0 gets the values of rank 0, then those of rank 1, and so on, those of
// one rank in the order in which they were appended; every other rank gets nil.
// Afterwards the list is empty and can be filled again. After an error, which
// is as of the function Gather, this rank's part is still there.
func (l *UnorderedList[T]) Gather(ctx context.Context) ([]T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts, err := gather(ctx, l.comm, "gather of an unordered list", l.values)
	if err != nil {
		return nil, err
	}
	l.values = nil
	if !l.comm.IsRoot() {
		return nil, nil
	}
	return joined(parts), nil
}
