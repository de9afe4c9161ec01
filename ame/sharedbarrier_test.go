package ame

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

func newBarrier(size int) *sharedBarrier {
	return &sharedBarrier{
		entered: &atomic.Uint32{}, last: &atomic.Uint32{},
		places: make([]atomic.Uint32, size), histories: make([]atomic.Uint32, size),
	}
}

func TestSharedBarrier(t *testing.T) {
	for name, test := range map[string]struct {
		asleep, report []int
		last           int
		reporting      []int // in the end
	}{
		"nobody sleeps":       {nil, nil, 1, nil},
		"others sleep":        {[]int{2, 3}, nil, 1, nil},
		"all sleep":           {[]int{0, 1, 2}, nil, 3, []int{3}},
		"rank 0 sleeps":       {[]int{0}, nil, 2, []int{2}},
		"rank 0 is the last":  {[]int{1, 2, 3}, nil, 0, nil},
		"nobody, rank 0 last": {nil, nil, 0, nil},
		"reports":             {[]int{1}, []int{1, 2}, 3, []int{1, 2}},
		"the last reports":    {[]int{0, 1}, []int{1, 3}, 3, []int{1, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, seq := range []uint32{1, 1<<29 - 1, 1 << 29, 1<<32 - 1, 0} {
				b := newBarrier(4)
				sleeps, reports := map[int]bool{}, map[int]bool{}
				for _, rank := range test.report {
					reports[rank] = true
				}
				for _, rank := range test.asleep {
					assert.False(t, b.enter(rank, seq, 9, reports[rank]))
					assert.False(t, b.wait(rank, hope(rank > 1)))
					sleeps[rank] = true
				}
				for rank := range 4 {
					if !sleeps[rank] && rank != test.last {
						assert.False(t, b.enter(rank, seq, 9, reports[rank]))
					}
				}
				assert.True(t, b.enter(test.last, seq, 9, reports[test.last]))
				assert.True(t, b.agreed(seq))
				if test.last != 0 {
					assert.False(t, b.mayLeave(0))
					assert.Equal(t, sleeps[0], b.release(0))
				}
				assert.Equal(t, test.last != 0, b.mayLeave(0))
				assert.Equal(t, test.reporting, b.reporting(sleeps[0]))
				for rank := 1; rank < 4; rank++ {
					assert.Equal(t, sleeps[rank], b.release(rank), "rank %d", rank)
					assert.True(t, b.wait(rank, hope(rank > 1)), "rank %d", rank)
				}
			}
		})
	}
}

func TestAbsent(t *testing.T) {
	b := newBarrier(4)
	assert.Equal(t, []int{0, 1, 2, 3}, b.absent(1<<29+7))
	b.enter(2, 1<<29+7, 0, true)
	b.enter(0, 1<<29+7, 0, false)
	b.wait(0, nil)
	b.enter(1, 6, 0, false)
	assert.Equal(t, []int{1, 3}, b.absent(1<<29+7))
}

func TestAgreed(t *testing.T) {
	b := newBarrier(2)
	b.enter(0, 7, 1, false)
	assert.False(t, b.agreed(7))
	b.enter(1, 6, 1, false)
	assert.False(t, b.agreed(7), "other numbers")
	b.enter(1, 7, 2, true)
	assert.False(t, b.agreed(7), "other collectives before")
	b.enter(1, 7, 1, true)
	assert.True(t, b.agreed(7))
}

// hope is a lookout, or none.
func hope(yes bool) *lookout {
	if !yes {
		return nil
	}
	return &lookout{polls: 1, yield: runtime.Gosched}
}
