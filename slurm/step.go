package slurm

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Step is the place of this process in a step, from the variables that
// slurmstepd sets for every task that srun starts.
type Step struct {
	Cluster string // SLURM_CLUSTER_NAME; "" where it is not set
	Job     uint32 // of the leader, in a heterogeneous job
	ID      uint32 // number of the step in its job
	Restart uint32 // how often the job was requeued

	Rank int // srun(1), SLURM_PROCID
	Size int // tasks of the step, all components of a heterogeneous one included

	// Node is the name of this node as Slurm knows it, or "". It may differ
	// from the host name, and need not resolve to an address.
	Node      string
	NodeID    int // place of the node in the step, components in their order; -1 if unknown
	LocalRank int // place of this task among the tasks of its node; -1 if unknown
	LocalSize int // number of tasks of the step on this node; -1 if unknown

	// Nodes are the nodes of the step, sorted by Slurm: Nodes[NodeID] is wrong
	// in heterogeneous steps. Empty where Slurm does not tell.
	Nodes Hostlist
	// JobNodes are the nodes of the whole job, or of one component of it.
	JobNodes Hostlist
	// TasksPerNode goes with Nodes. Nil where Slurm does not tell.
	TasksPerNode []int

	Distribution string // of tasks over nodes: block, cyclic, plane, arbitrary, ... or ""

	// HetSize is the number of components of a heterogeneous job, 0 if it is
	// none. HetNodes are the nodes of each, empty where Slurm does not tell.
	HetSize  int
	HetNodes []Hostlist

	// ReservedPorts are set aside for this step, among Slurm's steps: another
	// program can still be using one. Nil without MpiParams=ports in slurm.conf.
	ReservedPorts []int

	// End is when Slurm will end the job; the zero time where it does not tell.
	End time.Time

	rootIsHere bool // task 0 is one of the tasks of this node
}

// StepFromEnv reads the step that this process is a task of.
//
// Only a process that srun started directly is a task: of a batch script, an
// salloc shell and an interactive step the error wraps ErrNoStep and names the
// variable that says so. Programs below mpiexec in a job inherit the variables
// of mpiexec's own daemon, which are those of another step of fewer tasks: ask
// for the variables of PMI and Open MPI first.
//
// Any other error is of a variable that matters and cannot be understood.
func StepFromEnv(env Lookup) (*Step, error) {
	s := &Step{}
	if err := s.identity(env); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrNoStep, strings.TrimPrefix(err.Error(), "slurm: "))
	}
	if err := s.place(env); err != nil {
		return nil, err
	}
	s.Cluster = get(env, "SLURM_CLUSTER_NAME")
	s.Distribution = get(env, "SLURM_DISTRIBUTION")
	if end, err := unsigned(env, math.MaxInt64, "SLURM_JOB_END_TIME"); err == nil {
		s.End = time.Unix(int64(end), 0)
	}
	return s, nil
}

// identity reads what makes a process a task. SLURM_NTASKS and SLURM_NPROCS are
// not looked at: they are those of the job in a batch script, and those of
// mpiexec's daemons below mpiexec.
func (s *Step) identity(env Lookup) error {
	id, err := unsigned(env, maxStepID-1, "SLURM_STEP_ID", "SLURM_STEPID")
	if err != nil {
		return err
	}
	job, err := unsigned(env, math.MaxUint32, "SLURM_JOB_ID", "SLURM_JOBID")
	if err != nil {
		return err
	}
	size, err := unsigned(env, math.MaxInt32, "SLURM_STEP_NUM_TASKS")
	if err != nil {
		return err
	}
	rank, err := unsigned(env, math.MaxInt32, "SLURM_PROCID")
	if err != nil {
		return err
	}
	if rank >= size {
		return fmt.Errorf("SLURM_PROCID=%d is not below SLURM_STEP_NUM_TASKS=%d", rank, size)
	}
	s.ID, s.Job, s.Size, s.Rank = uint32(id), uint32(job), int(size), int(rank)
	// Absent before the first requeue, up to 25.11; 0 from 26.05 on.
	restart, err := unsigned(env, math.MaxUint32, "SLURM_RESTART_COUNT")
	if err != nil && !errors.Is(err, errUnset) {
		return err
	}
	s.Restart = uint32(restart)
	return nil
}

// place reads where the tasks are.
func (s *Step) place(env Lookup) (err error) {
	if s.Nodes, err = hostlistVar(env, "SLURM_STEP_NODELIST"); err != nil {
		return err
	}
	if s.JobNodes, err = hostlistVar(env, "SLURM_JOB_NODELIST", "SLURM_NODELIST"); err != nil {
		return err
	}
	if text := get(env, "SLURM_STEP_RESV_PORTS"); text != "" {
		if s.ReservedPorts, err = parsePorts(text); err != nil {
			return &EnvError{"SLURM_STEP_RESV_PORTS", text, err}
		}
	}
	if err := s.components(env); err != nil {
		return err
	}
	s.TasksPerNode, _ = parseTasksPerNode(get(env, "SLURM_STEP_TASKS_PER_NODE"))
	s.NodeID = unsignedOr(-1, env, math.MaxInt32, "SLURM_NODEID")
	s.LocalRank = unsignedOr(-1, env, math.MaxInt32, "SLURM_LOCALID")
	s.node(env)
	return nil
}

// components reads the node lists of a heterogeneous job. Slurm up to 21.08
// calls them packs, and a direct srun a : b does so still in 22.05.
func (s *Step) components(env Lookup) error {
	n, err := unsigned(env, maxComponents, "SLURM_HET_SIZE", "SLURM_PACK_SIZE")
	if errors.Is(err, errUnset) || n < 2 && err == nil {
		return nil
	}
	if err != nil {
		return err
	}
	s.HetSize = int(n)
	s.HetNodes = make([]Hostlist, n)
	for i := range s.HetNodes {
		s.HetNodes[i], err = hostlistVar(env,
			fmt.Sprintf("SLURM_JOB_NODELIST_HET_GROUP_%d", i),
			fmt.Sprintf("SLURM_JOB_NODELIST_PACK_GROUP_%d", i))
		if err != nil {
			return err
		}
	}
	return nil
}

// maxComponents is Slurm's own limit (slurm.h, MAX_HET_JOB_COMPS).
const maxComponents = 128

// node finds the name of this node and what runs on it.
func (s *Step) node(env Lookup) {
	s.Node = get(env, "SLURMD_NODENAME")
	s.LocalSize = -1
	if tasks, err := parseTaskIDs(get(env, "SLURM_GTIDS"), s.Size); err == nil && tasks[s.Rank] {
		s.LocalSize = len(tasks)
		s.rootIsHere = tasks[0]
	}
	if s.Rank == 0 {
		s.rootIsHere = true
	}
	if s.Node == "" && s.HetSize == 0 && s.NodeID >= 0 {
		s.Node = nth(s.Nodes, s.NodeID)
	}
	if s.LocalSize < 0 && s.HetSize == 0 && s.NodeID >= 0 && s.NodeID < len(s.TasksPerNode) {
		s.LocalSize = s.TasksPerNode[s.NodeID]
	}
}

// nth returns a name of the list by its place, "" if the list is shorter.
func nth(h Hostlist, n int) string {
	for name := range h.All() {
		if n == 0 {
			return name
		}
		n--
	}
	return ""
}

func hostlistVar(env Lookup, names ...string) (Hostlist, error) {
	for _, name := range names {
		if text := get(env, name); text != "" {
			h, err := ParseHostlist(text)
			if err != nil {
				return h, &EnvError{name, text, err}
			}
			return h, nil
		}
	}
	return Hostlist{}, nil
}

// Name identifies the step among all that the cluster ever ran: cluster, job,
// restart and step. It is the same on all tasks, and not secret.
func (s *Step) Name() string {
	return fmt.Sprintf("slurm:%s:%d.%d.%d", s.Cluster, s.Job, s.Restart, s.ID)
}
