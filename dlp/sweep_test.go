package dlp

import (
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Sweeps that are known give what the operation gives.
func TestSweeps(t *testing.T) {
	special := []float64{0, math.Copysign(0, -1), 1, -1.5, 0.1, 1e308, math.Inf(1), math.Inf(-1), math.NaN(), 5e-324}
	checkSweeps(t, special, Sum, Min, Max)
	checkSweeps(t, []float32{0, 1, -0.1, float32(math.Inf(-1)), math.MaxFloat32}, Sum, Min, Max)
	checkSweeps(t, []int{0, 1, -7, math.MaxInt, math.MinInt}, Sum, Min, Max)
	checkSweeps(t, []int64{0, 1, -7, math.MaxInt64, math.MinInt64}, Sum, Min, Max)
	checkSweeps(t, []int32{0, 1, -7, math.MaxInt32, math.MinInt32}, Sum)
	checkSweeps(t, []complex128{0, 1, 2i, complex(-1.5, 0.1)}, Sum)
	type metres float64
	assert.Equal(t, []metres{3}, swept([]metres{1}, []metres{2}, Sum), "not known")
	product := []float64{3}
	sweepOf(func(a, b float64) float64 { return a * b })(product, []float64{7})
	assert.Equal(t, []float64{21}, product)
}

func checkSweeps[T Number](t *testing.T, values []T, ops ...func(T, T) T) {
	for number, op := range ops {
		assert.Contains(t, sweeps(), reflect.ValueOf(op).Pointer(), "operation %d of %T", number, values)
		for _, b := range values {
			others := make([]T, len(values))
			for i := range others {
				others[i] = b
			}
			for i, got := range swept(values, others, op) {
				want := op(values[i], b)
				same := reflect.DeepEqual(want, got) || want != want && got != got
				assert.True(t, same, "%d of %v and %v: %v, want %v", number, values[i], b, got, want)
			}
		}
	}
}

func swept[T Number](a, b []T, op func(T, T) T) []T {
	a = append([]T(nil), a...)
	sweepOf(op)(a, b)
	return a
}
