package dlp

import (
	"testing"

	"github.com/dlp-mpi/dlp-go/internal/program"
	"github.com/stretchr/testify/assert"
)

func TestProgramsOfOtherRanks(t *testing.T) {
	own := program.Program{Args: [16]byte{1}, Command: "sub 0", Parent: program.Other}
	same, other, unseen := own, own, own
	other.Args, other.Command = [16]byte{2}, "sub 1000"
	unseen.Args, unseen.Command, unseen.Parent = [16]byte{3}, "sub 2000", program.Unseen
	p := programs{own: own}
	assert.NoError(t, p.admit(1, same.AppendTo(nil)))
	assert.Empty(t, p.warnings())
	err := p.admit(2, other.AppendTo(nil))
	for _, want := range []string{"rank 0 runs sub 0 and rank 2 runs sub 1000", "exec", "AME_MPMD=1", "AME_BOOTSTRAP=single"} {
		assert.ErrorContains(t, err, want)
	}
	assert.Empty(t, p.warnings())
	for rank := 3; rank < 6; rank++ {
		assert.NoError(t, p.admit(rank, unseen.AppendTo(nil)))
	}
	warnings := p.warnings()
	assert.Len(t, warnings, 1)
	assert.Contains(t, warnings[0], "rank 0 runs sub 0 and rank 3 runs sub 2000")
	assert.Contains(t, warnings[0], "2 more ranks")
	assert.ErrorContains(t, p.admit(6, []byte("x")), "does not say what it runs")
}
