package bootstrap

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/nesting"
	"github.com/dlp-mpi/dlp-go/slurm"
)

// fileJob is what a rank knows of its job before it has met the others.
type fileJob struct {
	at   Place
	name string // the same on all ranks, and rarely on another job

	// secret is a number that the launcher draws for each job and tells all
	// its ranks, or "". It goes into the file's name as a hash.
	secret string
}

func readFileJob(env Env) (fileJob, error) {
	hasOpenMPI := environ.AnySet(env, "OMPI_COMM_WORLD_RANK")
	if !hasOpenMPI && !environ.AnySet(env, "PMIX_NAMESPACE") {
		return fileJob{}, notDetected("neither PMIX_NAMESPACE nor OMPI_COMM_WORLD_RANK is set")
	}
	if why, ok := nesting.LeftOver(env, nesting.PMIx); ok {
		return fileJob{}, notDetected(why)
	}
	if _, ok := nesting.LeftOver(env, nesting.OpenMPI); hasOpenMPI && !ok {
		return openMPIJob(env)
	}
	step, err := slurm.StepFromEnv(env)
	if errors.Is(err, slurm.ErrNoStep) {
		return fileJob{}, notDetected("PMIX_NAMESPACE is set, but nothing tells the number of ranks (no OMPI_COMM_WORLD_SIZE, no Slurm step)")
	}
	if err != nil {
		return fileJob{}, err
	}
	at := Place{Rank: step.Rank, Size: step.Size, Host: nodeName(step.Node), LocalRank: step.LocalRank, LocalSize: step.LocalSize}
	return fileJob{at: at, name: step.Name()}, nil
}

// openMPIJob reads what mpiexec of any Open MPI sets. The SLURM_* variables
// beside them are of its own daemon and differ from node to node.
func openMPIJob(env Env) (fileJob, error) {
	rank, size, err := environ.RankAndSize(env, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")
	if err != nil {
		return fileJob{}, err
	}
	namespace := environ.Value(env, "PMIX_NAMESPACE")
	if namespace == "" {
		namespace = environ.Value(env, "OMPI_MCA_ess_base_jobid")
	}
	at := Place{Rank: rank, Size: size, Host: nodeName(environ.Value(env, "PMIX_HOSTNAME")), LocalRank: -1, LocalSize: -1}
	if n, err := environ.Int(env, "OMPI_COMM_WORLD_LOCAL_SIZE", 1, size); err == nil {
		at.LocalSize = n
	}
	if n, err := environ.Int(env, "OMPI_COMM_WORLD_LOCAL_RANK", 0, math.MaxInt32); err == nil && n < at.LocalSize {
		at.LocalRank = n
	}
	at.App = openMPIApp(env, rank)
	return fileJob{
		at:   at,
		name: "openmpi-" + namespace,
		// Drawn by mpiexec of Open MPI up to 4.1. Its namespaces come from
		// process ids, which repeat soon in containers.
		secret: environ.Value(env, "OMPI_MCA_orte_precondition_transports"),
	}, nil
}

// openMPIApp returns the number of the application of rank. Open MPI tells how
// many ranks each has, and numbers ranks in the order of applications.
// OMPI_FIRST_RANKS, which would say the same, is all zeros in 4.1.4.
func openMPIApp(env Env, rank int) (app int) {
	for _, field := range strings.Fields(environ.Value(env, "OMPI_APP_CTX_NUM_PROCS")) {
		n, err := strconv.Atoi(field)
		if err != nil || rank < n {
			break
		}
		rank -= n
		app++
	}
	return app
}
