package nesting

import (
	"fmt"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// Family is a set of variables that come from one launcher or are left over
// together.
type Family int

const (
	AME     Family = iota // AME_RANK, AME_CONTROL_FD
	PMI                   // PMI_FD or PMI_PORT, and all beside them
	PMIFD                 // PMI_FD alone
	DeadPMI               // PMI_FD, where that descriptor is known to be dead
	PMIx                  // PMIX_*
	OpenMPI               // OMPI_*
)

// rules say when a family is left over. why names the evidence. Where no rule
// of a family applies, its variables are of the newest launcher as far as
// variables can tell.
var rules = []struct {
	family Family
	why    func(env environ.Env) (why string, ok bool)
}{
	{AME, func(env environ.Env) (string, bool) {
		// The descriptor may still be open then, so that several ranks of the
		// inner job would all pass for one of the outer.
		variable, ok := belowAmeexec(env)
		return "the AME variables are left over from an ameexec further up: one of its ranks has started the launcher that has set " + variable, ok
	}},
	{PMI, func(env environ.Env) (string, bool) {
		// srun --mpi=pmi2 names its step; a plain srun inside of that leaves the
		// name, and a number of a descriptor that may be a live socket of another
		// kind by now. Hydra inside of it leaves the name, too, and has its own PMI.
		named, step := environ.Value(env, "PMI_JOBID"), slurmStep(env)
		if named == "" || step == "" || UnderHydra(env) || ameexec.shows(env) {
			return "", false
		}
		return fmt.Sprintf("the PMI variables are left over from step %s, this is step %s", named, step), named != step
	}},
	{PMIFD, func(env environ.Env) (string, bool) {
		// mpiexec.hydra -pmi-port passes on the variable and the live descriptor
		// of an ameexec further up.
		both := environ.AnySet(env, "PMI_PORT") && environ.AnySet(env, "PMI_ID")
		return "PMI_PORT is of a newer launcher", both && ameexec.shows(env)
	}},
	{DeadPMI, func(env environ.Env) (string, bool) {
		// Not where hydra is the inner one: then every rank would go on as a job
		// of its own, or as what srun started hydra's proxies as.
		_, below := belowAmeexec(env)
		return "the PMI variables are left over from an ameexec further up", below && !hydra.shows(env)
	}},
	{PMIx, func(env environ.Env) (string, bool) {
		// The server of an srun --mpi=pmix around this step knows nothing of our
		// ranks, several of which would claim to be the same one.
		namespace, step := environ.Value(env, "PMIX_NAMESPACE"), environ.Value(env, "SLURM_STEP_ID")
		stale := step != "" && ofSlurm(namespace) && !strings.HasSuffix(namespace, "."+step)
		return fmt.Sprintf("PMIX_NAMESPACE=%s was left behind by another step than ours, SLURM_STEP_ID=%s", namespace, step), stale
	}},
	{OpenMPI, func(env environ.Env) (string, bool) {
		namespace := environ.Value(env, "PMIX_NAMESPACE")
		return fmt.Sprintf("the OMPI variables are of an mpiexec around the step of PMIX_NAMESPACE=%s", namespace), ofSlurm(namespace)
	}},
}

// LeftOver says whether the variables of a family were left behind by a
// launcher further up, and why, in words for the user.
func LeftOver(env environ.Env, family Family) (why string, ok bool) {
	for _, rule := range rules {
		if rule.family == family {
			if why, ok := rule.why(env); ok {
				return why, true
			}
		}
	}
	return "", false
}

// ofSlurm says whether srun --mpi=pmix has made a PMIx namespace.
func ofSlurm(namespace string) bool { return strings.HasPrefix(namespace, "slurm.pmix.") }

// slurmStep is the name of our step as PMI_JOBID gives it, "" if we are in none.
func slurmStep(env environ.Env) string {
	job, step := environ.Value(env, "SLURM_JOB_ID"), environ.Value(env, "SLURM_STEP_ID")
	if job == "" || step == "" {
		return ""
	}
	return job + "." + step
}
