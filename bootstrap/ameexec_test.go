package bootstrap

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/control"
	"github.com/dlp-mpi/dlp-go/test/controltest"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// launch is ameexec with ranks in this process.
func launch(t *testing.T, size int) (*control.Server, []fakeenv.Map) {
	server := control.New(control.Config{Job: "test", Host: "here", Size: size})
	return server, controltest.Launch(t, server, size)
}

func TestAmeexec(t *testing.T) {
	_, envs := launch(t, 4)
	first, second := findAll(t, envs), findAll(t, envs)
	for rank, world := range first {
		assert.Equal(t, "ame", world.Method)
		assert.Equal(t, Place{Rank: rank, Size: 4, Host: "here", LocalRank: rank, LocalSize: 4}, world.Place)
		assert.Equal(t, first[0].Root, world.Root)
		assert.Equal(t, "test-1", world.Root.Job)
		assert.Equal(t, "here", world.Root.Host)
		assert.Equal(t, rank == 0, world.Listener != nil)
		assert.Equal(t, "test-2", second[rank].Root.Job)
	}
	assert.NotEqual(t, first[0].Root.Addresses, second[0].Root.Addresses)
	assert.NotEqual(t, first[0].Root.Key.Bytes(), second[0].Root.Key.Bytes())
	assert.Equal(t, []string{first[0].Listener.Addr().String()}, first[0].Root.Addresses)
}

func TestAmeexecAlone(t *testing.T) {
	_, envs := launch(t, 1)
	world := findAll(t, envs)[0]
	assert.Equal(t, "test-1", world.Root.Job)
	assert.Nil(t, world.Listener)
	assert.Empty(t, world.Root.Key.Bytes())
	assert.NoError(t, world.Release(nil))
}

func TestAmeexecTellsThatARankWillNotCome(t *testing.T) {
	server, envs := launch(t, 3)
	world, _, err := Find(t.Context(), envs[0].Lookup)
	require.NoError(t, err)
	defer world.abandon()
	ctx, stop := world.Watch(t.Context())
	defer stop()
	server.Exited(2, "exit status 0")
	<-ctx.Done()
	assert.ErrorContains(t, context.Cause(ctx), "rank 2 has ended (exit status 0) and will not join")
}

func TestAmeexecRootCannotListen(t *testing.T) {
	_, envs := launch(t, 2)
	_, _, err := Find(t.Context(), envs[0].With("AME_INTERFACE", "nosuch0").Lookup)
	require.ErrorContains(t, err, `AME_INTERFACE="nosuch0" matches no address`)
	_, _, err = Find(t.Context(), envs[1].Lookup)
	assert.ErrorContains(t, err, `rank 0 cannot take part: AME_INTERFACE="nosuch0" matches no address`)
}

// Rank 0 says why it cannot listen also if it is told to terminate meanwhile,
// because the others have ended first.
func TestAmeexecRootCancelled(t *testing.T) {
	_, envs := launch(t, 2)
	env := envs[0].With("AME_PORT_RANGE", "high")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, _, err := Find(ctx, func(name string) (string, bool) {
		if name == "AME_PORT_RANGE" {
			cancel()
		}
		return env.Lookup(name)
	})
	assert.ErrorContains(t, err, `AME_PORT_RANGE="high" is not a range of ports`)
}

func TestAmeexecGone(t *testing.T) {
	_, envs := launch(t, 2)
	_, _, err := Find(t.Context(), envs[1].With("AME_CONTROL_FD", "1048576").Lookup)
	require.ErrorContains(t, err, "AME_CONTROL_FD=1048576: bad file descriptor")
	assert.ErrorContains(t, err, "AME_BOOTSTRAP=single")
}

// A rank of ameexec may start another launcher, and pass on to its ranks both
// variables and descriptors.
func TestLauncherBelowAmeexec(t *testing.T) {
	_, envs := launch(t, 2)
	env := envs[0].With("PMI_FD", "99999", "PMI_RANK", "0", "PMI_SIZE", "2", "MPI_LOCALNRANKS", "2")
	require.NoError(t, ameMethod{}.detect(env.Lookup))
	for _, variable := range []string{"PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "FLUX_TASK_RANK"} {
		inner := env.With(variable, "0")
		err := ameMethod{}.detect(inner.Lookup)
		require.ErrorIs(t, err, ErrNotDetected, variable)
		assert.ErrorContains(t, err, "the launcher that has set "+variable)
		require.ErrorIs(t, pmiMethod{}.detect(inner.Lookup), ErrNotDetected, variable)
		require.NoError(t, ameMethod{}.detect(byHand().With(variable, "0").Lookup), "a launcher of the user's may itself run under one")
	}
	for _, variable := range []string{"HYDI_CONTROL_FD", "MPIR_CVAR_CH3_INTERFACE_HOSTNAME", "PMI_PORT"} {
		inner := env.With(variable, "8")
		require.ErrorIs(t, ameMethod{}.detect(inner.Lookup), ErrNotDetected, variable)
		require.NotErrorIs(t, pmiMethod{}.detect(inner.Lookup), ErrNotDetected, "hydra's own descriptor is lost")
	}
}
