package launch

import (
	"slices"
	"strings"
)

// foreign are the variables by which a launcher describes the job that it
// started. Ours may run inside such a job; its ranks are another one, and
// would take these for their own. Trailing * matches any rest. In return,
// package bootstrap takes those that a rank sees beside AME_CONTROL_FD for a
// newer launcher's.
//
// Not here: what describes an allocation (SLURM_JOB_ID, SLURM_CPUS_ON_NODE) and
// what a user sets for the ranks (AME_TIMEOUT, AME_VERBOSE, AME_INTERFACE).
var foreign = []string{
	"AME_RANK", "AME_SIZE", "AME_HOST", "AME_PORT", "AME_AUTHKEY", "AME_CONTROL_FD", "AME_JOB",
	"PMI_*", "PMI2_*", "PMIX_*", "OMPI_*", "PRTE_*", "ORTE_*", "OPAL_*",
	"MPI_LOCAL*", "MPIR_CVAR_CH3_INTERFACE_HOSTNAME", "HYDI_*", "HYDRA_*", "MV2_COMM_WORLD_*",
	"FLUX_*", "PALS_*", "ALPS_*", "JSM_*",

	// srun(1), OUTPUT ENVIRONMENT VARIABLES, those of a step and of a task
	"SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_GTIDS", "SLURM_TASK_PID",
	"SLURM_STEP_*", "SLURM_STEPID", "SLURM_STEPMGR", "SLURM_SRUN_COMM_*", "SLURM_LAUNCH_NODE_IPADDR",
	"SLURM_PMI*", "SLURM_MPI_TYPE", "SLURM_DISTRIBUTION",
}

// Cleaned returns environ without the variables by which launchers describe
// their own job to its processes.
func Cleaned(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.ContainsFunc(foreign, func(pattern string) bool {
			prefix, open := strings.CutSuffix(pattern, "*")
			return name == pattern || open && strings.HasPrefix(name, prefix)
		})
	})
}

// Overlay returns environ with the variables of pairs, NAME=VALUE, set in it;
// later ones win.
func Overlay(environ []string, pairs ...string) []string {
	out := slices.Clone(environ)
	for _, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		out = slices.DeleteFunc(out, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		out = append(out, pair)
	}
	return out
}
