// Package nesting answers which launcher started this process last, from the
// environment alone. Launchers start launchers, and most pass on the variables
// of the one further up; the table here says by what each shows itself, what
// describes its job, and what tells that variables are left over.
package nesting

import (
	"slices"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// launcher is one row of the table.
type launcher struct {
	name  string
	marks []string // what it sets for every rank; others pass it on at most
	owns  []string // all that describes its job; a trailing * matches any rest
	names []string // what is not alike on any two ranks of its jobs, taken together
}

var ameexec = launcher{
	name:  "ameexec",
	marks: []string{"AME_CONTROL_FD"}, // its descriptor, see internal/control
	owns:  []string{"AME_RANK", "AME_SIZE", "AME_HOST", "AME_PORT", "AME_AUTHKEY", "AME_CONTROL_FD", "AME_JOB", Mark},
	names: []string{"AME_RANK", "AME_SIZE", "AME_CONTROL_FD", "AME_HOST", "AME_PORT", "AME_AUTHKEY"},
}

// hydra is MPICH's mpiexec and its relatives. MPI_LOCALNRANKS is no mark, for
// ameexec sets it too: it serves PMI.
var hydra = launcher{
	name:  "mpiexec.hydra",
	marks: []string{"HYDI_CONTROL_FD", "MPIR_CVAR_CH3_INTERFACE_HOSTNAME", "PMI_PORT"},
	owns:  []string{"PMI_*", "PMI2_*", "MPI_LOCAL*", "MPIR_CVAR_CH3_INTERFACE_HOSTNAME", "HYDI_*", "HYDRA_*", "MV2_COMM_WORLD_*"},
	names: []string{"PMI_FD", "PMI_PORT", "PMI_ID", "PMI_RANK", "PMI_SIZE", "PMI_JOBID", "HYDI_CONTROL_FD"},
}

var launchers = []launcher{
	ameexec,
	hydra,
	{
		name:  "a PMIx launcher",
		marks: []string{"PMIX_RANK"},
		owns:  []string{"PMIX_*"},
		names: []string{"PMIX_NAMESPACE", "PMIX_RANK"},
	},
	{
		name:  "mpiexec of Open MPI",
		marks: []string{"OMPI_COMM_WORLD_RANK"},
		owns:  []string{"OMPI_*", "PRTE_*", "ORTE_*", "OPAL_*"},
		names: []string{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
	},
	{ // srun(1), OUTPUT ENVIRONMENT VARIABLES, those of a step and of a task
		name:  "srun",
		marks: []string{"SLURM_PROCID"},
		owns: []string{
			"SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_GTIDS", "SLURM_TASK_PID",
			"SLURM_STEP_*", "SLURM_STEPID", "SLURM_STEPMGR", "SLURM_SRUN_COMM_*", "SLURM_LAUNCH_NODE_IPADDR",
			"SLURM_PMI*", "SLURM_MPI_TYPE", "SLURM_DISTRIBUTION",
		},
		names: []string{"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_STEPID", "SLURM_PROCID", "SLURM_RESTART_COUNT"},
	},
	{
		name:  "flux",
		marks: []string{"FLUX_TASK_RANK"},
		owns:  []string{"FLUX_*"},
		names: []string{"FLUX_JOB_ID", "FLUX_TASK_RANK"},
	},
	{name: "PALS or ALPS", owns: []string{"PALS_*", "ALPS_*"}},
	{name: "jsrun", owns: []string{"JSM_*"}},
}

// Clean returns environ without what describes the job of any launcher, for a
// launcher that may run inside of such a job: its ranks are another one, and
// would take these variables for their own. In return, LeftOver takes what a
// rank sees beside AME_CONTROL_FD for a newer launcher's.
//
// What describes an allocation stays (SLURM_JOB_ID, SLURM_CPUS_ON_NODE), and
// what a user sets for the ranks (AME_TIMEOUT, AME_VERBOSE, AME_INTERFACE).
func Clean(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return Foreign(name)
	})
}

// Foreign says whether a variable describes the job of a launcher.
func Foreign(name string) bool {
	return slices.ContainsFunc(launchers, func(l launcher) bool { return l.describes(name) })
}

func (l launcher) describes(name string) bool {
	return slices.ContainsFunc(l.owns, func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		return name == pattern || open && strings.HasPrefix(name, prefix)
	})
}

// shows says whether the launcher is among the ancestors of this process.
func (l launcher) shows(env environ.Env) bool { return environ.AnySet(env, l.marks...) }

// UnderHydra says whether a proxy of hydra, or a PMI server that takes after
// it, is among the ancestors of this process.
func UnderHydra(env environ.Env) bool {
	return hydra.shows(env) || environ.AnySet(env, "MPI_LOCALNRANKS")
}

// belowAmeexec returns a variable by which another launcher shows that a rank
// of ameexec has started it, and it this process.
func belowAmeexec(env environ.Env) (variable string, ok bool) {
	if !ameexec.shows(env) {
		return "", false
	}
	var marks []string
	for _, l := range launchers {
		if l.name != ameexec.name {
			marks = append(marks, l.marks...)
		}
	}
	return environ.FirstSet(env, marks...)
}
