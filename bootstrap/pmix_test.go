package bootstrap

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/pmix"
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

// A server of PMIx 3.1 does not even answer the second program of a task.
func TestSecondProgramIsNotAnswered(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	env := slurmPMIxEnv().With("PMIX_SERVER_URI41", "pmix-server.1;tcp4://"+listener.Addr().String(), "PMIX_VERSION", "3.1.5")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = pmixMethod{}.join(ctx, env.Lookup, func(string) {})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "PMIx 3.1.5 serves one program of each task: if another one has used it before, set AME_BOOTSTRAP=pmix-file")
}

// The text of rank 0 may come after the fence that should have brought it.
func TestUnfenced(t *testing.T) {
	broken := errors.New("lost connection")
	for name, test := range map[string]struct {
		comes, limit, took time.Duration
		err, want          error
	}{
		"at once":         {comes: 0, limit: time.Hour, took: 0},
		"later":           {comes: 5 * time.Second, limit: time.Hour, took: 5 * time.Second},
		"never":           {comes: time.Hour, limit: 2 * time.Hour, took: unfencedWait, want: pmix.StatusNotFound},
		"too late":        {comes: time.Hour, limit: 3 * time.Second, took: 3 * time.Second, want: pmix.StatusNotFound},
		"another failure": {comes: 0, limit: time.Hour, took: 0, err: broken, want: broken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.limit)
				defer cancel()
				began := time.Now()
				text, err := unfenced(ctx, func() (string, error) {
					if time.Since(began) < test.comes {
						return "", pmix.StatusNotFound
					}
					return "here", test.err
				})
				assert.ErrorIs(t, err, test.want)
				assert.Equal(t, test.took, time.Since(began))
				if test.want == nil {
					assert.Equal(t, "here", text)
				}
			})
		})
	}
}
