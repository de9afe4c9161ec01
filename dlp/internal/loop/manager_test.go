package loop

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestManagerWindowsShrinkTowardsTheEnd(t *testing.T) {
	m := newManager(2, 1000, false)
	var sizes []int
	for !m.over() {
		s, ok := m.assign(1, 1)
		require.True(t, ok)
		sizes = append(sizes, s.n)
		for i := s.first; i < s.end(); i++ {
			require.NoError(t, m.finish(1, i, time.Microsecond))
		}
	}
	assert.Equal(t, []int{1, 8, 64}, sizes[:3], "windows grow while nothing is known")
	assert.True(t, slices.IsSortedFunc(sizes[3:], func(a, b int) int { return b - a }), "%v", sizes)
	assert.Equal(t, 1, sizes[len(sizes)-1])
}

func TestManagerAccounts(t *testing.T) {
	m := newManager(3, 10, false)
	a, _ := m.assign(0, 1)
	b, _ := m.assign(1, 1)
	assert.Equal(t, []span{{0, 1}, {1, 1}}, []span{a, b})
	assert.ErrorContains(t, m.finish(0, 1, 0), "rank 0 has finished item 1: item 1 not with it")
	assert.ErrorContains(t, m.giveBack(2, span{3, 2}), "rank 2 gives back: items 3-4 not with it")
	assert.Equal(t, "unfinished item 1", m.unfinished(1))
	assert.Equal(t, "no unfinished items", m.unfinished(2))
	require.NoError(t, m.giveBack(1, b))
	assert.Equal(t, 1, m.busy())
	c, _ := m.assign(2, 1)
	assert.Equal(t, b, c, "what was given back goes first")
	m.stopped = true
	_, ok := m.assign(1, 1)
	assert.False(t, ok)
	assert.False(t, m.over(), "ranks 0 and 2 still work")
	m.leave(0, out)
	m.leave(2, lost)
	assert.True(t, m.over())
}

func TestManagerOfASequence(t *testing.T) {
	m := newManager(2, Unknown, true)
	a, _ := m.assign(0, 1)
	require.NoError(t, m.finish(0, a.first, time.Microsecond))
	b, _ := m.assign(0, 1)
	require.Equal(t, span{1, 8}, b)
	c, _ := m.assign(1, 1)
	require.Equal(t, span{9, 1}, c)
	require.NoError(t, m.giveBack(0, span{4, 5}))
	require.NoError(t, m.finish(1, 9, time.Microsecond))
	d, _ := m.assign(1, 1)
	assert.Equal(t, 10, d.first, "rank 1 cannot go back to 4")
	require.NoError(t, m.finish(1, 10, 0))
	require.NoError(t, m.finish(1, 11, 0))
	require.NoError(t, m.foundEnd(1, 12))
	assert.Equal(t, 12, m.total)
	for i := 1; i < 4; i++ {
		require.NoError(t, m.finish(0, i, 0))
	}
	assert.False(t, m.over(), "rank 0 can take what it gave back")
	m.leave(0, out)
	assert.True(t, m.over(), "nobody can")
	assert.ErrorContains(t, m.foundEnd(0, 13), "rank 0 found the end at 13, another one at 12")
}

func TestSpans(t *testing.T) {
	assert.Equal(t, "item 3", itemList([]span{{3, 1}}))
	assert.Equal(t, "items 3,7-9", itemList([]span{{3, 1}, {7, 3}}))
	var odd []span
	for i := range 100 {
		odd = append(odd, span{2 * i, 1})
	}
	assert.Regexp(t, "^items 0,2,.*,98,and 50 more$", itemList(odd))
	assert.Equal(t, "ranks 0-2,5", listOf("rank", spansOf([]int{0, 1, 2, 5})))
	assert.Equal(t, "[]", fmt.Sprint(spansOf(nil)))
}
