package loop

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is finished before the loop begins is not handed out, and all else is,
// once.
func TestManagerPassesOverWhatIsFinished(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 0))
		total := random.IntN(300)
		var finished []int
		done := map[int]int{}
		share := random.Float64()
		for i := range total {
			if random.Float64() < share {
				finished = append(finished, i)
				done[i]++
			}
		}
		m := newManager(3, total, false)
		m.pass(finished)
		assert.Equal(t, len(finished), m.finished)
		for rank := 0; !m.over(); rank = (rank + 1) % 3 {
			s, ok := m.assign(rank, 1)
			if !ok {
				continue
			}
			if random.IntN(5) == 0 {
				require.NoError(t, m.giveBack(rank, s))
				continue
			}
			for i := s.first; i < s.end(); i++ {
				require.NoError(t, m.finish(rank, i, time.Microsecond))
				done[i]++
			}
		}
		require.Len(t, done, total)
		for i, times := range done {
			require.Equal(t, 1, times, "item %d", i)
		}
		assert.Equal(t, total, m.finished)
	}
}

func TestManagerNamesWhatIsNotFinished(t *testing.T) {
	m := newManager(2, 20, false)
	m.pass([]int{0, 1, 5, 6, 7, 19})
	assert.Equal(t, "items 2-4,8-18", m.rest())
	m.pass(nil)
	all := newManager(2, 2, false)
	all.pass([]int{0, 1})
	assert.True(t, all.over())
	assert.Empty(t, all.rest())
}

// Items that travel can be finished as well. Their results are delivered.
func TestServerAddsFinishedItems(t *testing.T) {
	serve(t, Config{Size: 2, Total: Unknown, Travels: true}, func(t *testing.T, s *Server, l *fakeLink) {
		s.AddFinished(Item{Rank: 7, Status: Value, Resumed: true})
		index, ok := s.Add(Input{})
		assert.Equal(t, []any{1, true}, []any{index, ok})
		s.AddFinished(Item{Rank: 8, Status: Value, Resumed: true})
		s.NoMore()
		l.says(1, asks())
		assert.Equal(t, 1, (<-l.sent).first)
		synctest.Wait()
		results, _, err := s.Take(t.Context())
		require.NoError(t, err)
		require.Len(t, results, 2)
		assert.Equal(t, []any{0, 7, 2, 8}, []any{results[0].Index, results[0].Rank, results[1].Index, results[1].Rank})
		l.says(1, asks(Item{Index: 1}))
		assert.True(t, (<-l.sent).over)
		done, total, _ := s.State()
		assert.Equal(t, []int{3, 3}, []int{done, total})
	})
}
