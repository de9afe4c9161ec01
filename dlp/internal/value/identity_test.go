package value

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type pair struct {
	A, B string
	n    [2]float32
}

func canonical[T any](t *testing.T, v T) string {
	f := Canonical[T]()
	require.NotNil(t, f)
	return string(f([]byte("before "), &v))
}

// What differs anywhere has other bytes, however long it is.
func TestCanonical(t *testing.T) {
	long := strings.Repeat("x", 2*maxDigested)
	assert.NotEqual(t, canonical(t, long+"a"), canonical(t, long+"b"))
	assert.NotEqual(t, canonical(t, []string{long, "a"}), canonical(t, []string{long, "b"}))
	assert.NotEqual(t, canonical(t, pair{A: "a", B: "bc"}), canonical(t, pair{A: "ab", B: "c"}))
	assert.NotEqual(t, canonical(t, pair{n: [2]float32{0, 1}}), canonical(t, pair{n: [2]float32{1, 0}}))
	assert.NotEqual(t, canonical(t, [][]int{{1}, {}}), canonical(t, [][]int{{}, {1}}))
	assert.Equal(t, canonical(t, pair{A: "a"}), canonical(t, pair{A: "a"}))
	assert.Equal(t, "before text", canonical(t, "text"))
	assert.Nil(t, Canonical[*int]())
	assert.Nil(t, Canonical[map[string]int]())
	assert.Nil(t, Canonical[any]())
}

type tree struct {
	Leaves []tree
	When   time.Time
}

func TestDescribe(t *testing.T) {
	const here = "github.com/dlp-mpi/dlp-go/dlp/internal/value."
	tests := map[string]reflect.Type{
		"int":                    reflect.TypeFor[int](),
		"[]string":               reflect.TypeFor[[]string](),
		"map[string]*[3]float64": reflect.TypeFor[map[string]*[3]float64](),
		"time.Time":              reflect.TypeFor[time.Time](),
		"time.Duration int64":    reflect.TypeFor[time.Duration](),
		"struct{X int; Y interface}": reflect.TypeFor[struct {
			X int
			Y any
		}](),
		here + "pair struct{A string; B string; n [2]float32}":          reflect.TypeFor[pair](),
		here + "tree struct{Leaves []" + here + "tree; When time.Time}": reflect.TypeFor[tree](),
	}
	for want, typ := range tests {
		assert.Equal(t, want, Describe(typ))
	}
}
