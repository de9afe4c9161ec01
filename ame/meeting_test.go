package ame

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

func newBarrier(size int) *sharedBarrier {
	return &sharedBarrier{entered: &atomic.Uint32{}, places: make([]atomic.Uint32, size), yield: runtime.Gosched}
}

func TestSharedBarrier(t *testing.T) {
	for _, seq := range []uint32{1, 1 << 29, 1<<30 - 1, 1 << 30, 1<<32 - 1, 0} {
		for name, test := range map[string]struct {
			asleep   []int
			last     int
			rootMust bool // be sent a message
			owed     []int
		}{
			"nobody sleeps":       {nil, 1, false, nil},
			"others sleep":        {[]int{2, 3}, 1, false, []int{2, 3}},
			"all sleep":           {[]int{0, 1, 2}, 3, true, []int{1, 2}},
			"rank 0 sleeps":       {[]int{0}, 2, true, nil},
			"rank 0 is the last":  {[]int{1, 2, 3}, 0, false, []int{1, 2, 3}},
			"nobody, rank 0 last": {nil, 0, false, nil},
		} {
			t.Run(name, func(t *testing.T) {
				b := newBarrier(4)
				for rank := range 4 {
					b.enter(rank, seq-1)
				}
				b.release(seq - 1)
				for range 3 {
					sleeps := map[int]bool{}
					for _, rank := range test.asleep {
						assert.True(t, b.absent(rank, seq))
						assert.False(t, b.enter(rank, seq))
						assert.False(t, b.wait(rank, seq))
						assert.False(t, b.absent(rank, seq))
						sleeps[rank] = true
					}
					for rank := range 4 {
						if !sleeps[rank] && rank != test.last {
							assert.False(t, b.enter(rank, seq))
						}
					}
					assert.True(t, b.enter(test.last, seq))
					assert.Equal(t, test.rootMust, b.release(seq))
					var owed []int
					for rank := range 4 {
						if !sleeps[rank] {
							assert.True(t, b.wait(rank, seq), "rank %d", rank)
						}
						if b.owes(rank, seq) {
							owed = append(owed, rank)
						}
					}
					assert.Equal(t, test.owed, owed)
					seq++
				}
			})
		}
	}
}

// A rank that has gone on to a later collective was in this one.
func TestAheadIsNotAbsent(t *testing.T) {
	b := newBarrier(2)
	b.enter(1, 7)
	assert.False(t, b.absent(1, 7))
	assert.False(t, b.absent(1, 5))
	assert.True(t, b.absent(1, 8))
	b.enter(1, 1<<32-1)
	assert.True(t, b.absent(1, 1))
}
