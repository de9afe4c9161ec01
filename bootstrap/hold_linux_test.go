package bootstrap

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHold(t *testing.T) {
	name := rand.Text()
	release, err := hold(name)
	require.NoError(t, err)
	_, err = hold(name)
	require.ErrorContains(t, err, "this process is the rank already: Init was called before, and its Comm is not closed")
	other, err := hold(name + "x")
	require.NoError(t, err)
	other()
	release()
	again, err := hold(name)
	require.NoError(t, err)
	again()
}

// What is held is the rank of a job, not the job, and not a rank that is alone.
func TestHoldRank(t *testing.T) {
	env := openMPIEnv().With("PMIX_NAMESPACE", rand.Text(), "OMPI_COMM_WORLD_SIZE", "2")
	release, err := holdRank(env.Lookup)
	require.NoError(t, err)
	defer release()
	_, err = holdRank(env.Lookup)
	require.Error(t, err)
	for name, env := range map[string]Env{
		"another rank": env.With("PMIX_RANK", "77").Lookup,
		"another job":  env.With("PMIX_SERVER_URI41", "elsewhere").Lookup,
		"one rank":     env.With("OMPI_COMM_WORLD_SIZE", "1").Without("SLURM_STEP_NUM_TASKS").Lookup,
	} {
		release, err := holdRank(env)
		assert.NoError(t, err, name)
		release()
	}
}
