package bootstrap

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

func TestFenceAdvice(t *testing.T) {
	late := context.DeadlineExceeded
	for name, test := range map[string]struct {
		env  fakeenv.Map
		err  error
		want string
	}{
		"step":     {fakeenv.Map{"SLURM_STEP_ID": "0"}, late, "SLURM_PMIX_DIRECT_CONN=false"},
		"mpiexec":  {fakeenv.Map{}, late, "has every rank started"},
		"old":      {fakeenv.Map{"PMIX_VERSION": "4.0.0", "SLURM_STEP_ID": "0"}, late, "PMIx 4.0.0 serves one program of each task: if another one has used it before, set AME_BOOTSTRAP=pmix-file"},
		"not late": {fakeenv.Map{}, errors.New("lost connection"), "lost connection"},
	} {
		t.Run(name, func(t *testing.T) {
			err := adviseFence(test.env.Lookup, test.err)
			assert.ErrorIs(t, err, test.err)
			assert.ErrorContains(t, err, test.want)
		})
	}
}
