package value

import (
	"fmt"
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

func fingerprint[T any](t *testing.T, v T) [16]byte {
	f := Fingerprint[T]()
	require.NotNil(t, f)
	return f(&v)
}

// What differs anywhere has another one, however long it is.
func TestFingerprint(t *testing.T) {
	long := strings.Repeat("x", 2*maxDigested)
	assert.NotEqual(t, fingerprint(t, long+"a"), fingerprint(t, long+"b"))
	assert.NotEqual(t, fingerprint(t, []string{long, "a"}), fingerprint(t, []string{long, "b"}))
	assert.NotEqual(t, fingerprint(t, pair{A: "a", B: "bc"}), fingerprint(t, pair{A: "ab", B: "c"}))
	assert.NotEqual(t, fingerprint(t, pair{n: [2]float32{0, 1}}), fingerprint(t, pair{n: [2]float32{1, 0}}))
	assert.NotEqual(t, fingerprint(t, [][]int{{1}, {}}), fingerprint(t, [][]int{{}, {1}}))
	assert.Equal(t, fingerprint(t, pair{A: "a"}), fingerprint(t, pair{A: "a"}))
	// Files have them: they must stay what they are.
	assert.Equal(t, "bf63e039a3b5f17ef33832fc18c5000f", fmt.Sprintf("%x", fingerprint(t, 7)))
	assert.Equal(t, "1a278358c45e107367836d949564c451", fmt.Sprintf("%x", fingerprint(t, []string{"a", "long enough text"})))
	all := map[[16]byte]bool{}
	for i := range 100_000 {
		all[fingerprint(t, i)] = true
		all[fingerprint(t, fmt.Sprint(i))] = true
		all[fingerprint(t, uint64(i)<<40)] = true
	}
	assert.Len(t, all, 300_000-1, "0 is 0")
	assert.Nil(t, Fingerprint[*int]())
	assert.Nil(t, Fingerprint[map[string]int]())
	assert.Nil(t, Fingerprint[any]())
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
