package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/launch"
	"github.com/dlp-mpi/dlp-go/slurm"
)

// launchSelf makes this process an srun of itself, where it is alone in a job
// of Slurm that has more to offer: in a batch script or the shell of salloc. It
// returns where that is not so.
func (o *options) launchSelf(env environ.Env) error {
	args, ok := srunArgs(env)
	if !ok {
		return nil
	}
	srun, err := exec.LookPath("srun")
	if err != nil {
		return errors.New("this is a job of Slurm, and srun is not in PATH; with AME_BOOTSTRAP=single dlp uses this node alone")
	}
	self, err := launch.SelfPath()
	if err == nil {
		self, err = os.Readlink(self)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "dlp map: started by no srun: %s dlp map ...\n", strings.Join(args, " "))
	args = append(append(args, self, "map"), o.args...)
	return os.NewSyscallError("srun", syscall.Exec(srun, args, os.Environ()))
}

// srunArgs is the srun command before the program, ok == false if none is
// needed.
func srunArgs(env environ.Env) (args []string, ok bool) {
	if environ.Value(env, "AME_BOOTSTRAP") != "" || launched(env) {
		return nil, false
	}
	switch slurm.WhereAmI(env) {
	case slurm.Batch, slurm.Interactive, slurm.Shell:
	default:
		return nil, false
	}
	// A lost task or node costs what runs there, and no more.
	args = []string{"srun", "--input=0", "--mpi=none", "--kill-on-bad-exit=0", "--wait=0", "--no-kill"}
	if cpus := environ.Value(env, "SLURM_CPUS_PER_TASK"); cpus != "" {
		args = append(args, "--cpus-per-task="+cpus)
	}
	return args, true
}

// launched says whether another launcher than srun has started this process.
func launched(env environ.Env) bool {
	return environ.AnySet(env, "AME_CONTROL_FD", "PMI_FD", "PMI_PORT", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "PALS_RANKID", "FLUX_TASK_RANK")
}
