package dlp

import (
	"cmp"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// Number is the types that Sum and Prod, and the collectives into slices, are
// for: integers, floating-point and complex numbers, and types made from them.
type Number interface{ value.Number }

// These are operations for Reduce and its relatives. The type is inferred:
//
//	total, err := dlp.Allreduce(ctx, world, x, dlp.Sum)

// Sum returns a + b.
func Sum[T Number](a, b T) T { return a + b }

// Prod returns a * b.
func Prod[T Number](a, b T) T { return a * b }

// Min returns the lesser of the two; NaN if one of them is.
func Min[T cmp.Ordered](a, b T) T { return min(a, b) }

// Max returns the greater of the two; NaN if one of them is.
func Max[T cmp.Ordered](a, b T) T { return max(a, b) }

// And says whether both are true.
func And[T ~bool](a, b T) T { return a && b }

// Or says whether one of the two is true.
func Or[T ~bool](a, b T) T { return a || b }

// Loc is a value and where it was found: a rank, or an index.
type Loc[T cmp.Ordered] struct {
	Value T
	Index int
}

// MinLoc returns the one with the lesser value, of equal values that with the
// lesser index. NaN is less than all others.
func MinLoc[T cmp.Ordered](a, b Loc[T]) Loc[T] {
	if order := cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.Index, b.Index)); order > 0 {
		return b
	}
	return a
}

// MaxLoc returns the one with the greater value, of equal values that with the
// lesser index. NaN is less than all others.
func MaxLoc[T cmp.Ordered](a, b Loc[T]) Loc[T] {
	if order := cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Index, b.Index)); order > 0 {
		return b
	}
	return a
}
