package slurm

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Place is what a process is to Slurm.
type Place int

const (
	NoJob       Place = iota // not in a job, as far as the environment tells
	Shell                    // a shell of salloc, on the node where salloc runs
	Batch                    // the script of sbatch itself, or what it starts without srun
	Interactive              // a shell of salloc on the first node of the job (LaunchParameters=use_interactive_step)
	Task                     // a task of a step
)

func (p Place) String() string {
	switch p {
	case NoJob:
		return "not in a Slurm job"
	case Shell:
		return "salloc shell"
	case Batch:
		return "batch script"
	case Interactive:
		return "interactive step"
	case Task:
		return "task of a step"
	}
	return "unknown place in Slurm"
}

// WhereAmI says what this process is to Slurm. In all places but Task it is one
// process alone, whatever SLURM_PROCID and SLURM_NTASKS say: those are the job's.
func WhereAmI(env Lookup) Place {
	if _, err := StepFromEnv(env); !errors.Is(err, ErrNoStep) {
		return Task
	}
	stepID := get(env, "SLURM_STEP_ID", "SLURM_STEPID")
	switch {
	case get(env, "SLURM_JOB_ID", "SLURM_JOBID") == "":
		return NoJob
	case slices.Contains(interactiveStepIDs, stepID):
		return Interactive
	case slices.Contains(batchStepIDs, stepID):
		return Batch
	case get(env, "SLURM_PROCID") != "":
		return Batch
	}
	return Shell
}

// JobTasks returns the number of tasks that the job asked for, over all
// components of a heterogeneous one, and the variable that says so; 0 and "" if
// none does. It is the size of no step; see Step.Size.
func JobTasks(env Lookup) (tasks int, variable string) {
	return jobSum(env, "SLURM_NTASKS", "SLURM_NPROCS")
}

// JobNodes is JobTasks for the nodes of the job. Where the job asked for no
// number of tasks, srun starts one per node.
func JobNodes(env Lookup) (nodes int, variable string) {
	return jobSum(env, "SLURM_JOB_NUM_NODES", "SLURM_NNODES")
}

// jobSum adds up what a variable says for each component. The plain variable
// is that of the first.
func jobSum(env Lookup, names ...string) (sum int, variable string) {
	components := unsignedOr(0, env, maxComponents, "SLURM_HET_SIZE", "SLURM_PACK_SIZE")
	for i := range components {
		for _, group := range []string{"HET", "PACK"} {
			name := fmt.Sprintf("%s_%s_GROUP_%d", names[0], group, i)
			if n := unsignedOr(0, env, math.MaxInt32, name); n > 0 {
				sum, variable = sum+n, fmt.Sprintf("%s_%s_GROUP_0..%d", names[0], group, i)
				break
			}
		}
	}
	if sum > 0 {
		return sum, variable
	}
	for _, name := range names {
		if n := unsignedOr(0, env, math.MaxInt32, name); n > 0 {
			return n, name
		}
	}
	return 0, ""
}
