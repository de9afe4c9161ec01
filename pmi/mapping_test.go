package pmi

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMappingNodes(t *testing.T) {
	tests := []struct {
		name, text string
		nodes      []int
	}{
		{"hydra 4.0.2, 3 ranks on one node", "(vector,(0,1,1))", []int{0, 0, 0}},
		{"hydra 5.0.1, 3 ranks on one node", "(vector,(0,1,3))", []int{0, 0, 0}},
		{"hydra 4.0.2, 5 ranks in sbatch -N3", "(vector,(0,1,3),(1,2,1))", []int{0, 0, 0, 1, 2}},
		{"hydra 4.0.2, 7 ranks in sbatch -N3", "(vector,(0,1,3),(1,2,1))", []int{0, 0, 0, 1, 2, 0, 0}},
		{"srun -N3 -n4, block", "(vector,(0,1,2),(1,2,1))", []int{0, 0, 1, 2}},
		{"srun -N2 -n5 -m cyclic", "(vector,(0,2,1),(0,1,1),(0,1,1),(0,1,1))", []int{0, 1, 0, 0, 0}},
		{"srun -N2 -n6 -m plane=2", "(vector,(0,2,2),(0,1,2))", []int{0, 0, 1, 1, 0, 0}},
		{"srun -N2 -n6 -m plane=3", "(vector,(0,1,3),(1,1,2),(0,1,1))", []int{0, 0, 0, 1, 1, 0}},
		{"srun, het step", "(vector,(0,2,1),(1,2,1))", []int{0, 1, 1, 2}},
		{"spaces", "( vector, (0, 2, 1) )", []int{0, 1}},
		{"deal again at node 0, not at the first block", "(vector,(1,1,1),(0,1,1))", []int{1, 0, 0, 0}},
		{"no block at node 0", "(vector,(1,1,1),(2,1,1))", []int{1, 2, 1, 2}},
		{"more room than ranks", "(vector,(0,4,16))", []int{0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := parseMapping(tt.text)
			require.NoError(t, err)
			nodes, err := m.nodes(len(tt.nodes))
			require.NoError(t, err)
			assert.Equal(t, tt.nodes, nodes)
		})
	}
}

func TestMappingPlace(t *testing.T) {
	m, err := parseMapping("(vector,(0,2,2),(0,1,2))")
	require.NoError(t, err)
	place, err := m.Place(5, 6)
	require.NoError(t, err)
	assert.Equal(t, Place{Node: 0, Nodes: 2, LocalRank: 3, LocalSize: 4}, place)
	place, err = m.Place(2, 6)
	require.NoError(t, err)
	assert.Equal(t, Place{Node: 1, Nodes: 2, LocalRank: 0, LocalSize: 2}, place)
	for _, rank := range []int{-1, 6} {
		_, err = m.Place(rank, 6)
		assert.Error(t, err)
	}
	_, err = Mapping{}.Place(0, 1)
	assert.Error(t, err)
	_, err = Mapping{{0, 0, 1}}.Place(0, 1)
	assert.Error(t, err)
}

func TestMappingOf(t *testing.T) {
	tests := []struct {
		nodes []int
		want  string
	}{
		{[]int{0}, "(vector,(0,1,1))"},
		{[]int{0, 0, 0, 0}, "(vector,(0,1,4))"},
		{[]int{0, 0, 1, 1, 2, 2}, "(vector,(0,3,2))"},
		{[]int{0, 0, 0, 1, 2}, "(vector,(0,1,3),(1,2,1))"},
		{[]int{0, 1, 0, 1}, "(vector,(0,2,1),(0,2,1))"},
	}
	for _, tt := range tests {
		m := mappingOf(tt.nodes)
		assert.Equal(t, tt.want, m.String())
		nodes, err := m.nodes(len(tt.nodes))
		require.NoError(t, err)
		assert.Equal(t, tt.nodes, nodes)
	}
}

func TestParseMappingRefuses(t *testing.T) {
	for _, text := range []string{
		"", "unknown", "(vector)", "(vector,)", "(vector,())", "(vector,(0,1))", "(vector,(0,1,1,1))", "(vector,(0,1,1)",
		"(vector,(0,0,1))", "(vector,(0,1,0))", "(vector,(-1,1,1))", "(vector,(0,1,x))", "(vector,(0,1,99999999999))",
		"(matrix,(0,1,1))", "(vector,(0,1,1)),(0,1,1)",
	} {
		_, err := parseMapping(text)
		assert.Error(t, err, "%q", text)
	}
}

func FuzzParseMapping(f *testing.F) {
	f.Add("(vector,(0,1,3),(1,2,1))", 7)
	f.Add("(vector,(0,16777216,16777216))", 3)
	f.Fuzz(func(t *testing.T, text string, size int) {
		m, err := parseMapping(text)
		if err != nil {
			return
		}
		again, err := parseMapping(m.String())
		require.NoError(t, err)
		require.Equal(t, m, again)
		if size < 1 || size > 1000 {
			return
		}
		place, err := m.Place(size-1, size)
		require.NoError(t, err)
		require.Less(t, place.LocalRank, place.LocalSize)
		require.LessOrEqual(t, place.LocalSize, size)
	})
}
