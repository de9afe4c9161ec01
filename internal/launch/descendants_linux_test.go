package launch

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseStat(t *testing.T) {
	for text, want := range map[string]struct {
		state  byte
		parent int
		ok     bool
	}{
		"12 (sh) S 7 12 12 0":        {'S', 7, true},
		"12 (a) Z 1 (b) R 7 12 12 0": {'R', 7, true},
		"12 (new\nline) D 99999 1":   {'D', 99999, true},
		"12 (sh) S":                  {0, 0, false},
		"12 (sh) S x 1":              {'S', 0, false},
		"12 sh S 7":                  {0, 0, false},
		"":                           {0, 0, false},
	} {
		state, parent, ok := parseStat([]byte(text))
		assert.Equal(t, want.ok, ok, text)
		assert.Equal(t, want.state, state, text)
		assert.Equal(t, want.parent, parent, text)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (sh) S 7 12 12 0"))
	f.Fuzz(func(t *testing.T, stat []byte) { parseStat(stat) })
}

func TestDescendants(t *testing.T) {
	assert.NotContains(t, Descendants(nil), os.Getpid())
}
