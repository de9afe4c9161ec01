package loop

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// longAt are short items, but for some.
func longAt(short, long time.Duration, indices ...int) func(int, int) time.Duration {
	return func(_, index int) time.Duration {
		if slices.Contains(indices, index) {
			return long
		}
		return short
	}
}

func TestSlotsMakespan(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	every := func(d time.Duration) func(int) time.Duration {
		return func(index int) time.Duration { return time.Duration(index) * d }
	}
	tests := []struct {
		name    string
		slots   []int
		total   int
		took    func(rank, index int) time.Duration
		comes   func(index int) time.Duration
		windows int // at most; 0: not judged
	}{
		{"one rank of 32 slots", []int{32}, 320, longAt(10*ms, 0), nil, 0},
		{"as many items as slots", []int{0, 32}, 32, longAt(time.Minute, 0), nil, 1},
		{"ranks of different sizes", []int{1, 4, 32}, 1000, longAt(20*ms, 0), nil, 0},
		{"quick items", []int{0, 8, 8}, 50_000, longAt(10*us, 0), nil, 700},
		{"a long one among quick ones", []int{4, 4}, 20_000, longAt(10*us, 500*ms, 10_000), nil, 0},
		{"long ones in all slots but one", []int{4, 4}, 20_000, longAt(10*us, 500*ms, 100, 101, 102, 103, 104, 105, 106), nil, 0},
		{"travelling", []int{0, 4, 4}, 5000, longAt(10*us, 0), every(0), 200},
		{"coming slowly", []int{0, 2, 2}, 50, longAt(50*ms, 0), every(100 * ms), 50},
		{"coming as fast as they are done", []int{0, 2, 2}, 500, longAt(40*ms, 0), every(10 * ms), 0},
		{"coming in bursts", []int{0, 2, 2}, 4000, longAt(100*us, 0), func(i int) time.Duration { return time.Duration(i/1000) * time.Second }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &simulation{t: t, m: newManager(len(test.slots), test.total, false), trip: 100 * us, took: test.took, total: test.total}
			if test.comes != nil {
				s.travel(test.comes)
			}
			s.run(test.slots).isShort()
			if test.windows > 0 {
				assert.LessOrEqual(t, s.asked, test.windows)
			}
		})
	}
}

func TestSlotsSurviveAnything(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 3))
		slots := make([]int, 1+random.IntN(5))
		for rank := range slots {
			slots[rank] = 1 + random.IntN(6)
		}
		times := []time.Duration{0, time.Microsecond, time.Millisecond, 100 * time.Millisecond}
		any := func(_, index int) time.Duration {
			return times[rand.New(rand.NewPCG(seed, uint64(index))).IntN(len(times))]
		}
		total := 1 + random.IntN(500)
		s := &simulation{t: t, m: newManager(len(slots), total, false), took: any, total: total, trip: time.Duration(random.IntN(1000)) * time.Microsecond}
		if seed%2 == 1 {
			pause := times[random.IntN(len(times))] / 10
			s.travel(func(index int) time.Duration { return time.Duration(index) * pause })
		}
		s.run(slots)
	}
}

// Shares count slots: a rank of three times the slots gets three times as much.
func TestManagerSharesCountSlots(t *testing.T) {
	m := newManager(3, 1000, false)
	assert.Equal(t, 8, m.setSlots([]int{0, 2, 6}))
	m.leave(0, out)
	for rank := 1; rank < 3; rank++ {
		m.ranks[rank].limit, m.ranks[rank].mean = 1000, time.Microsecond
	}
	a, _ := m.assign(1, 2)
	assert.Equal(t, span{0, 2 * (1000 / 16)}, a)
	b, _ := m.assign(2, 6)
	assert.Equal(t, span{a.n, 6 * ((1000 - a.n) / 16)}, b)
	c, _ := m.assign(2, 1)
	assert.Equal(t, (1000-a.n-b.n)/16, c.n, "one slot asks")
}

// Of the items that a lost rank held, a rank has one at a time: if it is lost as
// well, no other one is taken for the reason.
func TestLostItemsDoNotMeetInOneRank(t *testing.T) {
	m := newManager(3, 10, false)
	m.setSlots([]int{0, 4, 4})
	m.leave(0, out)
	held, _ := m.assign(2, 4)
	require.Equal(t, span{0, 4}, held)
	assert.Empty(t, loseRank(m, 2))
	again, _ := m.assign(1, 4)
	assert.Equal(t, span{0, 1}, again)
	next, _ := m.assign(1, 3)
	assert.Equal(t, 4, next.first, "not another one")
	require.NoError(t, m.giveBack(1, again))
	assert.Equal(t, []int{0, 1, 2, 3}, m.again)
	again, _ = m.assign(1, 1)
	assert.Equal(t, span{0, 1}, again)
	require.NoError(t, m.finish(1, 0, 0))
	again, _ = m.assign(1, 1)
	assert.Equal(t, span{1, 1}, again)
}

// A rank that gives back while a window is on its way to it cannot go back in its
// sequence: it takes that window first.
func TestSequenceWithAWindowOnItsWay(t *testing.T) {
	m := newManager(1, Unknown, true)
	m.setSlots([]int{2})
	m.ranks[0].limit = 8
	a, _ := m.assign(0, 1)
	b, _ := m.assign(0, 1)
	require.Equal(t, []span{{0, 8}, {8, 16}}, []span{a, b})
	require.NoError(t, m.giveBack(0, span{4, 4}))
	assert.Equal(t, 24, m.ranks[0].position)
	require.NoError(t, m.giveBack(0, span{8, 16}))
	require.NoError(t, m.giveBack(0, span{2, 2}))
	assert.Equal(t, 2, m.ranks[0].position)
}

func TestLightWindows(t *testing.T) {
	m := newManager(2, 100, false)
	m.weight = func(index int) int { return index * windowBytes / 10 }
	assert.Equal(t, span{0, 5}, m.light(span{0, 50}), "0 + 1 + 2 + 3 + 4 tenths")
	assert.Equal(t, span{6, 1}, m.light(span{6, 50}))
	assert.Equal(t, span{20, 1}, m.light(span{20, 50}), "a large one goes alone")
}
