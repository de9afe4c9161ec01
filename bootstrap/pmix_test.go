package bootstrap

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFenceAdvice(t *testing.T) {
	late := context.DeadlineExceeded
	for name, test := range map[string]struct {
		env  mapEnv
		err  error
		want string
	}{
		"step":     {mapEnv{"SLURM_STEP_ID": "0"}, late, "SLURM_PMIX_DIRECT_CONN=false"},
		"mpiexec":  {mapEnv{}, late, "has every rank started"},
		"not late": {mapEnv{}, errors.New("lost connection"), "lost connection"},
	} {
		t.Run(name, func(t *testing.T) {
			err := adviseFence(test.env.lookup, test.err)
			assert.ErrorIs(t, err, test.err)
			assert.ErrorContains(t, err, test.want)
		})
	}
}
