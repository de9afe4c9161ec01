package loop

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// loseRank is what the server does by default.
func loseRank(m *manager, rank int) (poison []int) {
	held, done := m.bury(rank)
	return m.reopen(rank, held, done)
}

// give hands rank a window and lets it finish the first n items of it.
func give(t *testing.T, m *manager, rank, n int) span {
	s, ok := m.assign(rank, 1)
	require.True(t, ok, "rank %d gets nothing", rank)
	for i := range n {
		require.NoError(t, m.finish(rank, s.first+i, time.Microsecond))
	}
	return s
}

func TestManagerLosses(t *testing.T) {
	tests := map[string]struct {
		redo     bool
		happens  func(t *testing.T, m *manager)
		windows  []span // that rank 1 gets from then on
		rest     string
		finished int
	}{
		"what was held goes first, one by one": {
			happens: func(t *testing.T, m *manager) {
				give(t, m, 2, 1)
				assert.Equal(t, span{1, 4}, give(t, m, 2, 1))
				assert.Empty(t, loseRank(m, 2))
			},
			windows: []span{{2, 1}, {3, 1}, {4, 1}, {5, 1}}, finished: 2, rest: "items 6-29",
		},
		"a window of one": {
			happens: func(t *testing.T, m *manager) {
				give(t, m, 1, 1)
				give(t, m, 2, 0)
				assert.Empty(t, loseRank(m, 2))
			},
			windows: []span{{1, 1}, {2, 7}}, finished: 1, rest: "items 9-29",
		},
		"nothing held": {
			happens: func(t *testing.T, m *manager) { assert.Empty(t, loseRank(m, 2)) },
			windows: []span{{0, 1}}, rest: "items 1-29",
		},
		"an item with two ranks is tried no more": {
			happens: func(t *testing.T, m *manager) {
				give(t, m, 2, 0)
				assert.Empty(t, loseRank(m, 2))
				assert.Equal(t, span{0, 1}, give(t, m, 3, 0))
				assert.Equal(t, []int{0}, loseRank(m, 3))
			},
			windows: []span{{1, 1}}, finished: 1, rest: "items 2-29",
		},
		"a rank that is lost twice": {
			happens: func(t *testing.T, m *manager) {
				give(t, m, 2, 0)
				loseRank(m, 2)
				assert.Empty(t, loseRank(m, 2))
			},
			windows: []span{{0, 1}, {1, 1}}, rest: "items 2-29",
		},
		"finished items stay so": {
			happens: func(t *testing.T, m *manager) {
				give(t, m, 2, 1)
				loseRank(m, 2)
			},
			windows: []span{{1, 1}}, finished: 1, rest: "items 2-29",
		},
		"or are gone with their rank": {
			redo: true,
			happens: func(t *testing.T, m *manager) {
				give(t, m, 2, 1)
				give(t, m, 2, 4)
				give(t, m, 1, 1)
				give(t, m, 2, 1)
				assert.Empty(t, loseRank(m, 2))
			},
			windows: []span{{7, 1}, {8, 1}, {9, 1}, {0, 1}, {1, 4}, {6, 1}}, finished: 1, rest: "items 10-29",
		},
		"also of a rank that is out": {
			redo: true,
			happens: func(t *testing.T, m *manager) {
				give(t, m, 2, 1)
				m.leave(2, out)
				loseRank(m, 2)
			},
			windows: []span{{0, 1}}, rest: "items 1-29",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager(4, 30, false)
			m.redo = test.redo
			m.leave(0, out)
			test.happens(t, m)
			for _, want := range test.windows {
				assert.Equal(t, want, give(t, m, 1, want.n))
			}
			assert.Equal(t, test.rest, m.rest())
			assert.Equal(t, test.finished+count(test.windows), m.finished)
		})
	}
}

// In a sequence no rank can go back to what it has passed, and items beyond its
// end are none.
func TestManagerLossesInASequence(t *testing.T) {
	m := newManager(3, Unknown, true)
	give(t, m, 0, 1)
	assert.Equal(t, span{1, 8}, give(t, m, 0, 0))
	assert.Equal(t, span{9, 1}, give(t, m, 1, 1))
	assert.Equal(t, span{10, 8}, give(t, m, 1, 0))
	assert.Empty(t, loseRank(m, 1))
	assert.Equal(t, "items 10-17 and all from 18 on", m.rest())
	assert.Equal(t, span{10, 1}, give(t, m, 0, 1), "rank 0 is not beyond")
	for i := 1; i < 9; i++ {
		require.NoError(t, m.finish(0, i, 0))
	}
	require.NoError(t, m.foundEnd(0, 12))
	assert.Equal(t, "item 11", m.rest(), "the others do not exist")
	give(t, m, 2, 0)
	assert.Empty(t, m.rest())
	assert.Equal(t, []int{11}, loseRank(m, 2))
	assert.True(t, m.over())

	m = newManager(2, Unknown, true)
	give(t, m, 0, 0)
	assert.Equal(t, span{1, 1}, give(t, m, 1, 1))
	give(t, m, 1, 0)
	loseRank(m, 0)
	assert.False(t, m.over())
	require.NoError(t, m.foundEnd(1, 2))
	assert.True(t, m.over(), "nobody can go back to item 0")
	assert.Equal(t, "item 0", m.rest())
}

// Whatever ranks are lost when: each item is finished once by a rank whose
// results are there, or two ranks have been lost with it.
func TestManagerSurvivesLosses(t *testing.T) {
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 1))
		size, total := 2+random.IntN(6), random.IntN(200)
		m := newManager(size, total, false)
		m.redo = seed%2 == 1
		done := map[int][]int{} // by item, the ranks that have finished it
		deaths := map[int]int{} // by item, how many ranks were lost that held it
		poisoned := map[int]bool{}
		alive := numbers(size)[1:]
		if m.leave(0, out); seed%3 == 0 {
			m = newManager(size, total, false)
			m.redo = seed%2 == 1
			alive = numbers(size)
		}
		for !m.over() {
			at := random.IntN(len(alive))
			rank := alive[at]
			held := m.ranks[rank].held
			switch {
			case rank > 0 && random.IntN(40) == 0:
				for _, s := range held {
					for i := s.first; i < s.end(); i++ {
						deaths[i]++
					}
				}
				for _, index := range loseRank(m, rank) {
					poisoned[index] = true
				}
				if m.redo {
					for index, ranks := range done {
						if ranks[len(ranks)-1] == rank {
							delete(done, index)
						}
					}
				}
				alive = append(alive[:at], alive[at+1:]...)
			case len(held) == 0:
				m.assign(rank, 1)
			case random.IntN(20) == 0:
				s := held[len(held)-1]
				require.NoError(t, m.giveBack(rank, span{s.first + s.n/2, s.n - s.n/2}))
			default:
				index := held[0].first
				require.NoError(t, m.finish(rank, index, time.Microsecond))
				done[index] = append(done[index], rank)
			}
		}
		where := fmt.Sprintf("seed %d", seed)
		require.Equal(t, len(done)+len(poisoned), m.finished, where)
		for index, ranks := range done {
			require.Len(t, ranks, 1, "%s: item %d", where, index)
			require.False(t, poisoned[index], "%s: item %d", where, index)
		}
		for index := range poisoned {
			require.Equal(t, 2, deaths[index], "%s: item %d", where, index)
		}
		if m.taking > 0 {
			require.Empty(t, m.rest(), where)
			require.Equal(t, total, m.finished, where)
		}
	}
}
