package nesting

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// environment reads "A=1 B=2".
func environment(text string) func(string) (string, bool) {
	return fakeenv.Of(strings.Fields(text)...).Lookup
}

// What ranks of one launcher see, as captured; inner ones are laid over it.
const (
	ofAmeexec = "AME_RANK=0 AME_SIZE=2 AME_CONTROL_FD=3 PMI_FD=4 PMI_RANK=0 PMI_SIZE=2 MPI_LOCALNRANKS=2 MPI_LOCALRANKID=0 "
	pmi2      = "SLURM_JOB_ID=95 SLURM_STEP_ID=1 SLURM_PROCID=0 PMI_FD=9 PMI_RANK=0 PMI_SIZE=3 PMI_JOBID=95.1 "
	none      = "SLURM_JOB_ID=95 SLURM_STEP_ID=2 SLURM_PROCID=0 "
	pmix      = "SLURM_JOB_ID=95 SLURM_STEP_ID=2 SLURM_PROCID=0 PMIX_NAMESPACE=slurm.pmix.95.2 PMIX_RANK=0 "
	hydraFD   = "PMI_FD=5 PMI_RANK=0 PMI_SIZE=3 MPI_LOCALNRANKS=3 HYDI_CONTROL_FD=6 "
	hydraPort = "PMI_PORT=127.0.0.1:4000 PMI_ID=0 MPI_LOCALNRANKS=3 HYDI_CONTROL_FD=6 "
	openmpi   = "OMPI_COMM_WORLD_RANK=0 PMIX_NAMESPACE=759889921 PMIX_RANK=0 "
	flux      = "FLUX_TASK_RANK=0 PMI_FD=7 PMI_RANK=0 PMI_SIZE=2 "
)

func TestLeftOver(t *testing.T) {
	all := []Family{AME, PMI, PMIFD, DeadPMI, PMIx, OpenMPI}
	for name, test := range map[string]struct {
		env  string
		want []Family
	}{
		"nothing":                     {"", nil},
		"ameexec":                     {ofAmeexec, nil},
		"srun pmi2":                   {pmi2, nil},
		"srun pmix":                   {pmix, []Family{OpenMPI}}, // there are none
		"hydra":                       {hydraFD, nil},
		"Open MPI":                    {openmpi, nil},
		"ameexec in a step":           {none + ofAmeexec, []Family{AME, DeadPMI}}, // not so: ameexec cleans; TestCleanAndLeftOverAgree
		"hydra below ameexec":         {ofAmeexec + hydraFD, []Family{AME}},
		"hydra by port below ameexec": {ofAmeexec + hydraPort, []Family{AME, PMIFD}},
		"Open MPI below ameexec":      {ofAmeexec + openmpi, []Family{AME, DeadPMI}},
		"srun below ameexec":          {ofAmeexec + none, []Family{AME, DeadPMI}},
		"flux below ameexec":          {ofAmeexec + flux, []Family{AME, DeadPMI}},
		"srun in a pmi2 step":         {pmi2 + none, []Family{PMI}},
		"hydra in a pmi2 step":        {pmi2 + none + hydraFD, nil},
		"srun in a pmix step":         {pmix + "SLURM_STEP_ID=3", []Family{PMIx, OpenMPI}},
		"srun pmix below Open MPI":    {openmpi + pmix, []Family{OpenMPI}},
		"Open MPI in a pmix step":     {pmix + openmpi, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []Family
			for _, family := range all {
				if why, ok := LeftOver(environment(test.env), family); ok {
					got = append(got, family)
					assert.NotEmpty(t, why)
				}
			}
			assert.Equal(t, test.want, got)
		})
	}
}

// What ameexec removes is what makes a rank of it believe in a newer launcher.
func TestCleanAndLeftOverAgree(t *testing.T) {
	for _, outer := range []string{ofAmeexec, pmi2, none, pmix, hydraFD, hydraPort, openmpi, flux} {
		cleaned := strings.Join(Clean(strings.Fields(outer+"AME_TIMEOUT=9 PATH=/bin")), " ")
		env := environment(cleaned + " " + ofAmeexec)
		for _, family := range []Family{AME, PMI, PMIFD, DeadPMI} {
			_, left := LeftOver(env, family)
			assert.False(t, left, "%s over %s", ofAmeexec, outer)
		}
		assert.Contains(t, cleaned, "AME_TIMEOUT=9 PATH=/bin")
	}
	assert.Equal(t, []string{"SLURM_JOB_ID=95"}, Clean(strings.Fields(pmi2)))
	for _, l := range launchers {
		for _, mark := range l.marks {
			assert.True(t, l.describes(mark), "%s leaves its own mark %s", l.name, mark)
		}
	}
}

func TestUnderHydra(t *testing.T) {
	assert.True(t, UnderHydra(environment(hydraFD)))
	assert.True(t, UnderHydra(environment("MPI_LOCALNRANKS=2")), "of a relative")
	assert.False(t, UnderHydra(environment("MPI_LOCALNRANKS= "+pmi2)))
}
