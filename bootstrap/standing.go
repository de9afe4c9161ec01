package bootstrap

import (
	"errors"
	"fmt"
	"os"

	"github.com/dlp-mpi/dlp-go/internal/control"
	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/nesting"
	"github.com/dlp-mpi/dlp-go/internal/process"
	"github.com/dlp-mpi/dlp-go/internal/program"
	"github.com/dlp-mpi/dlp-go/pmi"
	"github.com/dlp-mpi/dlp-go/pmix"
	"github.com/dlp-mpi/dlp-go/slurm"
)

// surroundings are what Find sees of this process besides its variables. What
// cannot be seen is zero.
type surroundings struct {
	self, parent process.Info
	terminal     bool // stdin is one
}

func look() surroundings {
	var s surroundings
	s.self, _ = process.Self()
	s.parent, _ = process.Read(s.self.Parent)
	s.self.PID = os.Getpid()
	s.terminal = isTerminal(os.Stdin)
	return s
}

// outsider is a process that has a rank's variables and is no rank.
type outsider struct {
	why      string
	promised int    // as World.Promised
	warning  string // for the user, or ""
}

// childOfRank notices a program that a rank has started: it inherits the
// variables of the rank's launcher, and AME_BOOTSTRAP, too.
func (s surroundings) childOfRank(env Env) (outsider, bool) {
	pid, ok := nesting.ChildOf(env, s.self)
	if !ok || hasDescriptor(env) {
		return outsider{}, false
	}
	return outsider{why: fmt.Sprintf("the variables are those of process %d, a rank that has started this program", pid)}, true
}

// hint is what may be wrong with this process if other ranks do not come, or "".
func (s surroundings) hint(env Env) string {
	pid, ok := nesting.ChildOfFormer(env, s.self)
	if !ok {
		return ""
	}
	return fmt.Sprintf("process %d, a rank that had closed its Comm, has started this program: if it is to be on its own, "+
		"start it before Close, or with AME_BOOTSTRAP=single", pid)
}

// hasDescriptor says whether a launcher has started this process itself, as
// far as the descriptor tells that it leaves to ranks: ranks of ours do not pass
// it on. An inner hydra may give its ranks the numbers of the outer one's.
func hasDescriptor(env Env) bool {
	if environ.AnySet(env, control.Variable) {
		_, err := control.Descriptor(env)
		return err == nil
	}
	return nesting.UnderHydra(env) && environ.AnySet(env, "PMI_FD") && pmi.Detect(pmiEnv(without(env, "PMI_PORT"))) == nil
}

// shellOfStep notices a program that somebody has typed into the shell of srun
// -n4 --pty bash: the other tasks are shells that will never start it. Where
// slurmstepd is the parent the program is the task itself, and a real job.
func (s surroundings) shellOfStep(env Env) (outsider, bool) {
	if !environ.AnySet(env, "SLURM_PTY_PORT") || !s.terminal || s.parent.Name == "" || s.parent.Name == "slurmstepd" {
		return outsider{}, false
	}
	step, err := slurm.StepFromEnv(env)
	if err != nil || step.Size == 1 {
		return outsider{}, false
	}
	return outsider{
		why:      fmt.Sprintf("this is the terminal of srun --pty, where one task of %d runs what is typed", step.Size),
		promised: step.Size,
		warning: fmt.Sprintf("SLURM_STEP_NUM_TASKS=%d but this is rank 0 of 1: the shell of srun --pty is one task, and the others do not start what is typed into it: "+
			"write srun --overlap before the program, or start it by srun in place of the shell", step.Size),
	}, true
}

// adviseScript adds what to do to an error of a launcher's channel, where a
// script stands between the launcher and this process: it may have started
// several that look like one rank to the launcher.
func adviseScript(env Env, err error) error {
	var ofPMI *pmi.Error
	var ofPMIx *pmix.Error
	channel := errors.As(err, &ofPMI) || errors.As(err, &ofPMIx) || errors.Is(err, pmi.ErrBusy) || errors.Is(err, pmi.ErrLost)
	if !channel || program.This(env, 0).Parent == program.Launcher {
		return err
	}
	return fmt.Errorf("%w; if a script starts several programs at once in this task, they are no ranks of one job: set AME_BOOTSTRAP=single for them", err)
}
