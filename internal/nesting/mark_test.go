package nesting

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dlp-mpi/dlp-go/internal/process"
)

func TestChildOf(t *testing.T) {
	rank, child := process.Info{PID: 40, Start: 7}, process.Info{PID: 41, Start: 8}
	for name, test := range map[string]struct {
		rank, reader string // environments
		self         process.Info
		child        bool
	}{
		"child":                       {pmi2, "", child, true},
		"itself":                      {pmi2, "", rank, false},
		"same pid, another namespace": {pmi2, "", process.Info{PID: 40, Start: 9}, true},
		"child of srun pmix":          {pmix, "", child, true},
		"child of Open MPI":           {openmpi, "", child, true},
		"child of ameexec":            {ofAmeexec, "", child, true},
		"child of hydra":              {hydraFD, "", child, true},
		"next rank of the step":       {none, "SLURM_PROCID=1", child, false},
		"rank of an inner srun":       {none, "SLURM_STEP_ID=3", child, false},
		"rank of an inner Open MPI":   {none, openmpi, child, false},
		"rank of an inner hydra":      {none, hydraFD, child, false},
		"rank of an inner ameexec":    {none, ofAmeexec, child, false},
		"told to be a rank":           {none, "AME_BOOTSTRAP=slurm", child, false},
		"child of one that was":       {none + "AME_BOOTSTRAP=slurm", "", child, true},
		"by hand, another key":        {"AME_RANK=0 AME_PORT=5 AME_AUTHKEY=a", "AME_AUTHKEY=b", child, false},
	} {
		t.Run(name, func(t *testing.T) {
			mark := Mark + "=" + MarkOf(environment(test.rank), rank)
			pid, ok := ChildOf(environment(test.rank+" "+mark+" "+test.reader), test.self)
			assert.Equal(t, test.child, ok)
			if ok {
				assert.Equal(t, 40, pid)
			}
		})
	}
	mark := Closed(MarkOf(environment(pmi2), rank))
	_, ok := ChildOf(environment(pmi2+" "+Mark+"="+mark), child)
	assert.False(t, ok, "of a rank that had left")
	pid, ok := ChildOfFormer(environment(pmi2+" "+Mark+"="+mark), child)
	assert.True(t, ok)
	assert.Equal(t, 40, pid)
	for name, env := range map[string]string{"itself": pmi2, "rank of another launcher": openmpi} {
		_, ok = ChildOfFormer(environment(env+" "+Mark+"="+mark), rank)
		assert.False(t, ok, name)
	}
	_, ok = ChildOfFormer(environment(pmi2+" "+Mark+"="+MarkOf(environment(pmi2), rank)), child)
	assert.False(t, ok, "of a rank that lives")
	for _, broken := range []string{"", "x", "1:2", "x:2:" + Fingerprint(environment("")), "1:x:" + Fingerprint(environment("")), "1:2:beef"} {
		_, ok := ChildOf(environment(Mark+"="+broken), child)
		assert.False(t, ok, broken)
	}
	assert.NotContains(t, Clean([]string{Mark + "=1:2:3"}), Mark, "ranks of an inner ameexec may have the numbers of the outer")
}
