package bootstrap

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// task is the environment of a rank of job 7, step 0, all on this node, with
// munged absent and a home of its own.
func task(t *testing.T, rank, size int) fakeenv.Map {
	var ranks []string
	for r := range size {
		ranks = append(ranks, strconv.Itoa(r))
	}
	return fakeenv.Map{
		"SLURM_CLUSTER_NAME": "test", "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0",
		"SLURM_PROCID": strconv.Itoa(rank), "SLURM_STEP_NUM_TASKS": strconv.Itoa(size),
		"SLURM_STEP_NODELIST": "n1", "SLURM_NODEID": "0", "SLURM_LOCALID": strconv.Itoa(rank),
		"SLURM_GTIDS": strings.Join(ranks, ","), "SLURMD_NODENAME": "n1",
		"AME_MUNGE_SOCKET": filepath.Join(t.TempDir(), "no-munged"), "HOME": t.TempDir(),
	}
}

// findAll runs Find on every rank at the same time.
func findAll(t *testing.T, envs []fakeenv.Map) []*World {
	worlds, errs := make([]*World, len(envs)), make([]error, len(envs))
	var all sync.WaitGroup
	for rank, env := range envs {
		all.Go(func() { worlds[rank], _, errs[rank] = Find(t.Context(), env.Lookup) })
	}
	all.Wait()
	for rank := range envs {
		require.NoError(t, errs[rank], "rank %d", rank)
		t.Cleanup(worlds[rank].abandon)
	}
	return worlds
}

func TestSlurm(t *testing.T) {
	home, cluster := t.TempDir(), "test-"+rand.Text()
	var envs []fakeenv.Map
	for rank := range 4 {
		envs = append(envs, task(t, rank, 4).With("HOME", home, "SLURM_CLUSTER_NAME", cluster))
	}
	worlds := findAll(t, envs)
	root := worlds[0].Root
	assert.True(t, strings.HasPrefix(root.Job, "slurm:"+cluster+":7.0.0-"), root.Job)
	for rank, world := range worlds {
		assert.Equal(t, "slurm", world.Method)
		assert.Equal(t, Place{Rank: rank, Size: 4, Host: "n1", LocalRank: rank, LocalSize: 4}, world.Place)
		assert.Equal(t, root.Key.Bytes(), world.Root.Key.Bytes())
		assert.Equal(t, root.Job, world.Root.Job)
		assert.Equal(t, "n1", world.Root.Host)
		assert.Subset(t, world.Root.Addresses, root.Addresses)
		assert.Nil(t, world.Newer)
		assert.Empty(t, world.Warnings)
	}
}

// Rank 0 does not wait for a rank on its node that cannot join.
func TestSlurmRankThatGivesUp(t *testing.T) {
	cluster := "test-" + rand.Text()
	world, _, err := Find(t.Context(), task(t, 0, 2).With("SLURM_CLUSTER_NAME", cluster).Lookup)
	require.NoError(t, err)
	defer world.abandon()
	ctx, stop := world.Watch(t.Context())
	defer stop()
	_, _, err = Find(t.Context(), task(t, 1, 2).With("SLURM_CLUSTER_NAME", cluster, "HOME", "").Lookup)
	require.ErrorContains(t, err, "rank cannot prove who it is")
	<-ctx.Done()
	assert.ErrorContains(t, context.Cause(ctx), "a rank has given up: rank 1 on n1: rank cannot prove who it is")
}

func TestSlurmAlone(t *testing.T) {
	world, _, err := Find(t.Context(), task(t, 0, 1).Lookup)
	require.NoError(t, err)
	assert.Nil(t, world.Listener)
	assert.Equal(t, Place{Rank: 0, Size: 1, Host: "n1", LocalRank: 0, LocalSize: 1}, world.Place)
}

// A step whose user names a directory needs neither ports nor MUNGE.
func TestSlurmByFile(t *testing.T) {
	dir := t.TempDir()
	var envs []fakeenv.Map
	for rank := range 5 {
		envs = append(envs, slurmPMIxEnv().Without("PMIX_NAMESPACE").With("SLURM_PROCID", strconv.Itoa(rank), "AME_RENDEZVOUS_DIR", dir))
	}
	worlds := findAll(t, envs)
	for rank, world := range worlds {
		assert.Equal(t, "slurm", world.Method)
		assert.Equal(t, rank, world.Rank)
		if rank > 0 {
			found, err := world.Newer(t.Context())
			require.NoError(t, err)
			assert.Equal(t, worlds[0].Root, found)
		}
	}
	require.NoError(t, worlds[0].Release(nil))
	assert.Empty(t, entries(t, dir))
}

func TestSlurmDetect(t *testing.T) {
	for name, test := range map[string]struct {
		env fakeenv.Map
		err string
	}{
		"task":         {task(t, 1, 2), ""},
		"batch script": {task(t, 0, 2).Without("SLURM_STEP_ID"), "not a task of a Slurm step: SLURM_STEP_ID is not set"},
		"interactive":  {task(t, 0, 2).With("SLURM_STEP_ID", "4294967290"), `not a task of a Slurm step: SLURM_STEP_ID="4294967290": larger than 4294967279`},
		"broken":       {task(t, 0, 2).With("SLURM_STEP_NODELIST", "n["), `slurm: SLURM_STEP_NODELIST="n[": hostlist "n[": column 2: [ without ] after it`},
	} {
		err := slurmMethod{}.detect(test.env.Lookup)
		if test.err == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, test.err, name)
		assert.Equal(t, name != "broken", errors.Is(err, ErrNotDetected))
	}
}
