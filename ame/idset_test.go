package ame

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIDSetIsASet(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s idSet
		want := map[uint32]bool{}
		for range 40 {
			id := random.Uint32N(50)
			s.add(id)
			want[id] = true
		}
		for id := range uint32(52) {
			require.Equal(t, want[id], s.has(id), "%d in %v", id, s.ranges)
		}
		for i := 1; i < len(s.ranges); i++ {
			require.Greater(t, s.ranges[i].first, s.ranges[i-1].last+1, "a gap between ranges: %v", s.ranges)
		}
	}
}

func TestIDSetStaysSmall(t *testing.T) {
	var s idSet
	for id := uint32(1); id < 100_000; id += 2 { // closed in pairs, the later one first
		s.add(id + 1)
		s.add(id)
		require.LessOrEqual(t, len(s.ranges), 2)
	}
	assert.Len(t, s.ranges, 1)
	s.add(math.MaxUint32)
	s.add(0)
	assert.True(t, s.has(math.MaxUint32) && s.has(0) && !s.has(math.MaxUint32-1))
}
