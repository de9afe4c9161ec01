package dlp

import (
	"cmp"
	"reflect"
	"sync"
)

// sweep applies an operation to the numbers of two slices of one length; the
// results go to a.
type sweep[T any] func(a, b []T)

// sweepOf makes a sweep of an operation. A call for each number takes longer than
// most operations, so those of this package are known by their code, for usual
// types, and done without. The results are the same.
func sweepOf[T Number](op func(T, T) T) sweep[T] {
	if known, ok := sweeps()[reflect.ValueOf(op).Pointer()].(sweep[T]); ok {
		return known
	}
	return func(a, b []T) {
		for i, x := range a {
			a[i] = op(x, b[i])
		}
	}
}

// sweeps are those of this package's operations, by their code. What a generic
// function makes of an operation has code of its own, so each is named here.
var sweeps = sync.OnceValue(func() map[uintptr]any {
	known := map[uintptr]any{}
	know(known, Sum[float64], sums)
	know(known, Sum[float32], sums)
	know(known, Sum[int], sums)
	know(known, Sum[int64], sums)
	know(known, Sum[int32], sums)
	know(known, Sum[complex128], sums)
	know(known, Min[float64], minima)
	know(known, Min[float32], minima)
	know(known, Min[int], minima)
	know(known, Min[int64], minima)
	know(known, Max[float64], maxima)
	know(known, Max[float32], maxima)
	know(known, Max[int], maxima)
	know(known, Max[int64], maxima)
	return known
})

func know[T Number](known map[uintptr]any, op func(T, T) T, by sweep[T]) {
	known[reflect.ValueOf(op).Pointer()] = by
}

func sums[T Number](a, b []T) {
	b = b[:len(a)]
	for i := range a {
		a[i] += b[i]
	}
}

func minima[T cmp.Ordered](a, b []T) {
	b = b[:len(a)]
	for i := range a {
		a[i] = min(a[i], b[i])
	}
}

func maxima[T cmp.Ordered](a, b []T) {
	b = b[:len(a)]
	for i := range a {
		a[i] = max(a[i], b[i])
	}
}
