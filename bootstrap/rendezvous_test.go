package bootstrap

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// Variables as mpiexec of Open MPI 4.1.4 sets them in a batch job, on the
// second node: the step there is the one of its daemon.
func openMPIEnv() fakeenv.Map {
	return fakeenv.Map{
		"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "3",
		"OMPI_COMM_WORLD_LOCAL_RANK": "0", "OMPI_COMM_WORLD_LOCAL_SIZE": "1",
		"OMPI_MCA_orte_precondition_transports": "07827706c7e93162-9c0cc1b2e8b55cdd",
		"PMIX_NAMESPACE":                        "759889921", "PMIX_RANK": "2", "PMIX_HOSTNAME": "c2",
		"SLURM_JOB_ID": "95", "SLURM_STEP_ID": "5", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1",
		"SLURM_NTASKS": "1", "SLURM_LOCALID": "0",
	}
}

// Variables of srun --mpi=pmix, Slurm 22.05.8.
func slurmPMIxEnv() fakeenv.Map {
	return fakeenv.Map{
		"PMIX_NAMESPACE": "slurm.pmix.99.4", "PMIX_RANK": "3", "PMIX_HOSTNAME": "c2",
		"PMIX_SERVER_URI41": "pmix-server.2796;tcp4://127.0.0.1:59265",
		"SLURM_JOB_ID":      "99", "SLURM_STEP_ID": "4", "SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "5",
		"SLURM_NTASKS": "5", "SLURM_LOCALID": "0", "SLURM_NODEID": "1", "SLURM_STEP_NODELIST": "c[1-3]",
		"SLURM_STEP_TASKS_PER_NODE": "3,1(x2)", "SLURMD_NODENAME": "c2", "SLURM_CLUSTER_NAME": "cl",
	}
}

func TestReadFileJob(t *testing.T) {
	for name, test := range map[string]struct {
		env    fakeenv.Map
		rank   int
		size   int
		local  int
		host   string
		reason string // not detected
		broken string
	}{
		"Open MPI":                {env: openMPIEnv(), rank: 2, size: 3, local: 1, host: "c2"},
		"Open MPI without PMIx":   {env: openMPIEnv().Without("PMIX_NAMESPACE"), rank: 2, size: 3, local: 1, host: "c2"},
		"Open MPI, no local size": {env: openMPIEnv().Without("OMPI_COMM_WORLD_LOCAL_SIZE"), rank: 2, size: 3, local: -1, host: "c2"},
		"srun":                    {env: slurmPMIxEnv(), rank: 3, size: 5, local: 1, host: "c2"},
		"srun below Open MPI":     {env: slurmPMIxEnv().With("OMPI_COMM_WORLD_RANK", "0", "OMPI_COMM_WORLD_SIZE", "2"), rank: 3, size: 5, local: 1, host: "c2"},
		"nothing":                 {env: fakeenv.Map{}, reason: "neither PMIX_NAMESPACE nor OMPI_COMM_WORLD_RANK is set"},
		"no size":                 {env: fakeenv.Map{"PMIX_NAMESPACE": "7", "PMIX_RANK": "0"}, reason: "nothing tells the number of ranks"},
		"srun within srun --mpi=pmix": {env: slurmPMIxEnv().With("SLURM_STEP_ID", "5"),
			reason: "PMIX_NAMESPACE=slurm.pmix.99.4 was left behind by another step than ours, SLURM_STEP_ID=5"},
		"size missing": {env: openMPIEnv().Without("OMPI_COMM_WORLD_SIZE"), broken: "OMPI_COMM_WORLD_SIZE is not set"},
		"rank too big": {env: openMPIEnv().With("OMPI_COMM_WORLD_RANK", "3"), broken: "must be less than"},
	} {
		t.Run(name, func(t *testing.T) {
			job, err := readFileJob(test.env.Lookup)
			switch {
			case test.reason != "":
				require.ErrorIs(t, err, ErrNotDetected)
				assert.ErrorContains(t, err, test.reason)
				assert.ErrorIs(t, fileMethod{}.detect(test.env.Lookup), ErrNotDetected)
			case test.broken != "":
				require.NotErrorIs(t, err, ErrNotDetected)
				assert.ErrorContains(t, err, test.broken)
			default:
				require.NoError(t, err)
				assert.Equal(t, test.rank, job.at.Rank)
				assert.Equal(t, test.size, job.at.Size)
				assert.Equal(t, test.local, job.at.LocalSize)
				assert.Equal(t, test.host, job.at.Host)
			}
		})
	}
}

func TestOpenMPIApp(t *testing.T) {
	env := fakeenv.Map{"OMPI_APP_CTX_NUM_PROCS": "1 2 1"}
	for rank, want := range []int{0, 1, 1, 2} {
		assert.Equal(t, want, openMPIApp(env.Lookup, rank), rank)
	}
	assert.Zero(t, openMPIApp(fakeenv.Map{}.Lookup, 3))
	assert.Zero(t, openMPIApp(fakeenv.Map{"OMPI_APP_CTX_NUM_PROCS": "many"}.Lookup, 3))
}

func TestPMIxDetect(t *testing.T) {
	assert.NoError(t, pmixMethod{}.detect(slurmPMIxEnv().Lookup))
	for name, env := range map[string]fakeenv.Map{
		"no launcher": {},
		"no server":   slurmPMIxEnv().Without("PMIX_SERVER_URI41"),
		"outer step":  slurmPMIxEnv().With("SLURM_STEP_ID", "5"),
		"no hash":     slurmPMIxEnv().With("PMIX_GDS_MODULE", "shmem9"),
		"set empty":   slurmPMIxEnv().With("PMIX_NAMESPACE", ""),
	} {
		t.Run(name, func(t *testing.T) {
			err := pmixMethod{}.detect(env.Lookup)
			require.ErrorIs(t, err, ErrNotDetected)
			assert.NotContains(t, err.Error(), "pmix: ")
		})
	}
	err := pmixMethod{}.detect(slurmPMIxEnv().With("PMIX_RANK", "x").Lookup)
	require.Error(t, err)
	assert.NotErrorIs(t, err, ErrNotDetected)
}

func TestRendezvousDirectory(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	theirs, shared := t.TempDir(), t.TempDir()
	file := filepath.Join(shared, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, test := range map[string]struct {
		env     fakeenv.Map
		oneNode bool
		want    string
		says    string
	}{
		"told":                     {fakeenv.Map{"AME_RENDEZVOUS_DIR": shared, "PMIX_SERVER_TMPDIR": theirs}, true, shared, ""},
		"told, several nodes":      {fakeenv.Map{"AME_RENDEZVOUS_DIR": shared}, false, shared, ""},
		"told, missing":            {fakeenv.Map{"AME_RENDEZVOUS_DIR": shared + "/none"}, false, "", "AME_RENDEZVOUS_DIR: stat"},
		"told, a file":             {fakeenv.Map{"AME_RENDEZVOUS_DIR": file}, false, "", "is not a directory"},
		"launcher's, one node":     {fakeenv.Map{"PMIX_SERVER_TMPDIR": theirs}, true, theirs, ""},
		"launcher's, elsewhere":    {fakeenv.Map{"PMIX_SERVER_TMPDIR": "/nowhere"}, true, here, ""},
		"launcher's, several":      {fakeenv.Map{"PMIX_SERVER_TMPDIR": theirs}, false, "", "set AME_RENDEZVOUS_DIR to a directory that all ranks see"},
		"working directory, one":   {fakeenv.Map{}, true, here, ""},
		"working directory, local": {fakeenv.Map{}, false, "", here + " is on no network file system that we know"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := rendezvousDirectory(test.env.Lookup, test.oneNode)
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, dir)
		})
	}
}

func TestRendezvousFileName(t *testing.T) {
	name := func(job, secret string) string {
		made, err := rendezvousFile(fakeenv.Map{}.Lookup, "/d", job, secret)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(made.Name), 255)
		assert.Equal(t, made.Name, filepath.Base(made.Path()))
		assert.False(t, made.Oldest.IsZero())
		return made.Name
	}
	assert.Equal(t, name("openmpi-759889921", "x"), name("openmpi-759889921", "x"))
	assert.NotEqual(t, name("openmpi-759889921", "x"), name("openmpi-759889921", "y"))
	assert.NotEqual(t, name("a/b", ""), name("a_b", ""), "different jobs that look alike")
	assert.Contains(t, name("prterun-vm-28650@1", ""), "prterun-vm-28650_1")
	assert.NotContains(t, name("x", "07827706c7e93162"), "07827706c7e93162")
	for _, odd := range []string{"../../etc/passwd", strings.Repeat("x", 1000), "\x00\n", "ü"} {
		assert.NotContains(t, name(odd, ""), "/")
	}
	_, err := rendezvousFile(fakeenv.Map{"AME_TIMEOUT": "soon"}.Lookup, "/d", "x", "")
	assert.Error(t, err)
}
