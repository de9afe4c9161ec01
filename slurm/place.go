package slurm

import (
	"errors"
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

// JobTasks returns the number of tasks that the job asked for, 0 if it did not
// say. It is the size of no step; see Step.Size.
func JobTasks(env Lookup) int {
	return unsignedOr(0, env, math.MaxInt32, "SLURM_NTASKS", "SLURM_NPROCS")
}
