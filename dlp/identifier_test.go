package dlp

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The IDs of a list are those that its items would have one by one, and no two
// are equal.
func TestIdentifier(t *testing.T) {
	for _, n := range []int{0, 1, 3, 1000, 50_000} {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprint(rand.IntN(2 + n*2/3))
		}
		for _, key := range []any{nil, func(s string) string { return s + s }} {
			list, err := newIdentifier[string](key)
			require.NoError(t, err)
			single, err := newIdentifier[string](key)
			require.NoError(t, err)
			seen := map[any]bool{}
			for i, id := range list.all(items) {
				require.Equal(t, single.next(&items[i]), id)
				seen[id] = true
			}
			assert.Len(t, seen, n)
		}
	}
}
