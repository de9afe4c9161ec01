package environ

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

func TestLookupTakesEmptyForUnset(t *testing.T) {
	e := fakeenv.Map{"A": " x ", "B": "  ", "C": ""}.Lookup
	value, ok := Lookup(e, "A")
	assert.Equal(t, "x", value)
	assert.True(t, ok)
	name, ok := FirstSet(e, "C", "B", "A")
	assert.Equal(t, "A", name)
	assert.True(t, ok)
	assert.False(t, AnySet(e, "B", "C", "D"))
	_, ok = Nonempty(e)("B")
	assert.False(t, ok)
	assert.Empty(t, Value(e, "D"))
}

func TestIsOn(t *testing.T) {
	for value, want := range map[string]bool{"1": true, "Yes": true, "on": true, "TRUE": true, "0": false, "": false, "maybe": false} {
		assert.Equal(t, want, IsOn(fakeenv.Map{"X": value}.Lookup, "X"), value)
	}
}

func TestRankAndSize(t *testing.T) {
	for name, test := range map[string]struct{ rank, size, err string }{
		"good":      {"1", "2", ""},
		"no size":   {"1", "", "S is not set"},
		"text":      {"x", "2", `R="x" is not a whole number`},
		"too large": {"2", "2", "R=2 must be less than S=2"},
		"negative":  {"-1", "2", "R=-1 is not in 0..2147483647"},
	} {
		t.Run(name, func(t *testing.T) {
			rank, size, err := RankAndSize(fakeenv.Map{"R": test.rank, "S": test.size}.Lookup, "R", "S")
			if test.err != "" {
				assert.EqualError(t, err, test.err)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, []int{1, 2}, []int{rank, size})
		})
	}
}
