package bootstrap

import (
	"context"
	"fmt"
	"strconv"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/slurm"
)

// singleMethod is the method of a process that no launcher started: rank 0
// of 1. It stands last and is always available.
type singleMethod struct {
	outside *outsider // nil: not known to be one
}

func (singleMethod) name() string { return methodSingle }

func (singleMethod) detect(Env) error { return nil }

func (m singleMethod) join(_ context.Context, env Env, _ func(string)) (*World, error) {
	job, err := jobName(env, "single")
	if err != nil {
		return nil, err
	}
	here := environ.Hostname()
	world := &World{
		Place: Place{Rank: 0, Size: 1, Host: here, LocalRank: 0, LocalSize: 1},
		Root:  Endpoint{Job: job, Host: here},
	}
	promised, warning := brokenPromise(env)
	if m.outside != nil {
		promised, warning = m.outside.promised, m.outside.warning
	}
	if warning != "" {
		world.Promised = promised
		world.Warnings = append(world.Warnings, warning)
	}
	return world, nil
}

// promises are the variables by which launchers announce how many ranks they
// start. A method that serves the launcher takes precedence over single, so
// if one of these says more than one rank, something went wrong.
var promises = []struct{ variable, remedy string }{
	{"OMPI_COMM_WORLD_SIZE", "Open MPI's PMIx server was not found; start it by mpirun itself, or by ameexec"},
	{"MV2_COMM_WORLD_SIZE", "start it by mpiexec.hydra, srun or ameexec"},
	{"FLUX_JOB_SIZE", "start it by flux run"},
	{"PALS_SIZE", "start it by srun or ameexec"},
	// The last, because MVAPICH and Cray's PALS set it too, beside no PMI_FD.
	{"PMI_SIZE", "PMI_FD or PMI_PORT did not reach this process; start it by mpiexec itself, not by a wrapper that closes descriptors"},
}

// brokenPromise returns how many ranks the environment announces if it is
// more than one (0 if it does not say), and what to tell the user.
func brokenPromise(env Env) (promised int, warning string) {
	if promised, warning = outsideStep(env); warning != "" {
		return promised, warning
	}
	for _, promise := range promises {
		text, ok := environ.Lookup(env, promise.variable)
		if !ok {
			continue
		}
		size, err := strconv.Atoi(text)
		if err != nil || size <= 1 {
			continue
		}
		return size, fmt.Sprintf("%s=%d but this is rank 0 of 1: %s", promise.variable, size, promise.remedy)
	}
	// PMIx tells the size only over its socket, so this is all we know.
	if rank, err := strconv.Atoi(environ.Value(env, "PMIX_RANK")); err == nil && rank >= 0 {
		if promised = rank + 1; promised == 1 {
			promised = 0
		}
		return promised, fmt.Sprintf("PMIX_RANK=%d but this is rank 0 of 1: the launcher's PMIx server was not found; start it by srun, mpirun or ameexec", rank)
	}
	return 0, ""
}

// outsideStep is the promise of Slurm: a job of several tasks or nodes, of which
// this process is no task. The job's shell and the batch script are one process,
// whatever their SLURM_PROCID and SLURM_NTASKS say.
func outsideStep(env Env) (promised int, warning string) {
	where := map[slurm.Place]string{
		slurm.NoJob:       "",
		slurm.Shell:       " The shell of salloc runs where you typed it, and not as part of the job: write srun before the program",
		slurm.Batch:       " The batch script runs once, on the first node: write srun before the program",
		slurm.Interactive: " The shell of salloc runs once, on the first node: write srun before the program",
	}
	place := slurm.WhereAmI(env)
	here, outside := where[place]
	if !outside {
		return 0, ""
	}
	promised, asked := slurm.JobTasks(env)
	if promised == 0 && place != slurm.NoJob { // srun starts one task per node then
		promised, asked = slurm.JobNodes(env)
	}
	if promised <= 1 {
		return 0, ""
	}
	return promised, fmt.Sprintf("%s=%d but this is rank 0 of 1: did you forget srun?%s", asked, promised, here)
}
