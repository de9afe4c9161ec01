//go:build integration

package integration

import (
	"fmt"
	"strings"
)

// column is where a launch puts its ranks. Nodes are chosen such that rank 0 is
// not always on the first one of the cluster.
type column struct {
	name  string
	hosts []string // by rank
	nodes []string
	slots string // for mpiexec: host:ranks,...
	srun  string // for srun, salloc and sbatch
}

var columns = []column{
	{"1 node", []string{"c2", "c2", "c2"}, []string{"c2"}, "c2:3", "-w c2 -N1 -n3"},
	{"2 nodes", []string{"c2", "c2", "c3", "c3"}, []string{"c2", "c3"}, "c2:2,c3:2", "-w c[2-3] -N2 -n4 --ntasks-per-node=2"},
	{"3 nodes, uneven", []string{"c1", "c1", "c1", "c2", "c3"}, []string{"c1", "c2", "c3"}, "c1:3,c2:1,c3:1", "-N3 -n5"},
}

// cell is one launch: a row of the matrix in one column.
type cell struct {
	// script runs on ctl. {prog} stands for the program and its arguments.
	script string

	want   []placement // one for each report that the script prints
	method string      // that all ranks must have used

	// alone is a launch of one rank that was meant to be of several: it warns,
	// and dlp-hello, which is there to find out, ends with status 1.
	alone bool

	helloOnly bool // too many launches to repeat with another program

	// advises allows the launch to fail, quickly and with a message that has
	// this word.
	advises string
}

// row is a way to launch. Its cell in a column is nil where it does not apply.
type row struct {
	name string
	cell func(column) *cell
}

// once is a cell whose script prints one report, of ranks placed as the column
// says.
func once(col column, method, script string) *cell {
	return onHosts(col, col.hosts, method, script)
}

// onHosts is a cell whose script prints one report, of ranks on the hosts given.
//
// In the script, {place} stands for what the column says to srun, {slots} for what it
// says to mpiexec, {nodes} and {count} for the nodes and their number, {size} for the
// number of ranks.
func onHosts(col column, hosts []string, method, script string) *cell {
	fill := strings.NewReplacer(
		"{place}", col.srun,
		"{slots}", col.slots,
		"{nodes}", strings.Join(col.nodes, ","),
		"{count}", fmt.Sprint(len(col.nodes)),
		"{size}", fmt.Sprint(len(hosts)),
	)
	return &cell{
		script: fill.Replace(script),
		want:   []placement{{hosts: hosts}},
		method: method,
	}
}

// batch is the command line that submits a job script and waits for it.
func batch(options, script string) string {
	return fmt.Sprintf("run-job %s <<'EOF'\n#!/bin/bash\n%s\nEOF", options, script)
}

// inRoom is the command line that runs a launch with four CPUs on every node. An
// allocation of as many CPUs as there are ranks would decide where they go.
func inRoom(launch string) string {
	return "salloc -Q -w {nodes} -N {count} --ntasks-per-node=4 env -u SLURM_NTASKS_PER_NODE " + launch
}

// openMPI is a cell of a launch by Open MPI, which may map ranks to hosts in
// another order than hydra and SLURM do. (It would also bind ranks to cores, and
// refuses where the nodes have fewer than SLURM was told.)
func openMPI(col column, script string) *cell {
	c := once(col, "pmix", script)
	c.want[0].anyOrder = true
	return c
}

// alone makes a cell one of a single rank, on the host given.
func alone(c *cell, host string) *cell {
	c.want = []placement{{hosts: []string{host}}}
	c.alone = true
	return c
}

var rows = []row{
	{"ameexec", func(col column) *cell {
		if len(col.nodes) > 1 {
			return nil // starts processes on its own machine only
		}
		return once(col, "ame", "ssh {nodes} /opt/dlp/ameexec -n {size} {prog}")
	}},
	{"mpiexec.hydra", func(col column) *cell {
		return once(col, "pmi", "mpiexec.hydra -launcher ssh -hosts {slots} -n {size} {prog}")
	}},
	{"mpiexec.hydra -pmi-port", func(col column) *cell {
		return once(col, "pmi", "mpiexec.hydra -launcher ssh -pmi-port -hosts {slots} -n {size} {prog}")
	}},
	{"mpiexec.openmpi", func(col column) *cell {
		return openMPI(col, "mpiexec.openmpi --bind-to none --host {slots} -n {size} {prog}")
	}},
	{"srun --mpi=none", func(col column) *cell {
		return once(col, "slurm", "srun --mpi=none {place} {prog}")
	}},
	{"srun --mpi=pmi2", func(col column) *cell {
		return once(col, "pmi", "srun --mpi=pmi2 {place} {prog}")
	}},
	{"srun --mpi=pmix", func(col column) *cell {
		return once(col, "pmix", "srun --mpi=pmix {place} {prog}")
	}},
	{"salloc, srun", func(col column) *cell {
		return once(col, "slurm", "salloc -Q {place} srun {prog}")
	}},
	{"sbatch, srun", func(col column) *cell {
		return once(col, "slurm", batch("{place}", "srun {prog}"))
	}},
	{"sbatch, mpiexec.hydra", func(col column) *cell {
		return once(col, "pmi", batch("{place}", "mpiexec.hydra {prog}"))
	}},
	{"sbatch, mpiexec.openmpi", func(col column) *cell {
		return openMPI(col, batch("{place}", "mpiexec.openmpi --bind-to none {prog}"))
	}},
	{"sbatch, srun --het-group=0,1", hetGroups},
	{"srun : srun (MPMD)", func(col column) *cell {
		if len(col.nodes) != 3 {
			return nil
		}
		return onHosts(col, []string{"c3", "c1", "c1"}, "slurm", "srun -w c3 -N1 -n1 {prog} : -w c1 -N1 -n2 {prog}")
	}},
	{"srun -m cyclic", func(col column) *cell {
		hosts := map[int][]string{
			1: {"c2", "c2", "c2"},
			2: {"c2", "c3", "c2", "c3", "c2"},
			3: {"c1", "c2", "c3", "c1", "c2"},
		}[len(col.nodes)]
		return onHosts(col, hosts, "slurm", inRoom("srun -m cyclic -n {size} {prog}"))
	}},
	{"srun -m plane=2", func(col column) *cell {
		hosts := map[int][]string{
			1: {"c2", "c2", "c2"},
			2: {"c2", "c2", "c3", "c3", "c2"},
			3: {"c1", "c1", "c2", "c2", "c3"},
		}[len(col.nodes)]
		return onHosts(col, hosts, "slurm", inRoom("srun -m plane=2 -n {size} {prog}"))
	}},
	{"srun -m arbitrary", func(col column) *cell {
		// The node of rank 0 is the last one of the sorted node list, and
		// nothing in the environment of the ranks says so.
		hosts := map[int][]string{
			1: {"c2", "c2", "c2"},
			2: {"c3", "c2", "c3", "c2"},
			3: {"c3", "c1", "c3", "c2"},
		}[len(col.nodes)]
		return onHosts(col, hosts, "slurm",
			"printf '%s\\n' "+strings.Join(hosts, " ")+" >hosts-$$ && SLURM_HOSTFILE=hosts-$$ srun -m arbitrary -n {size} {prog}")
	}},
	{"salloc -N3, srun -w subset", func(col column) *cell {
		if len(col.nodes) == 3 {
			return nil
		}
		return once(col, "slurm", "salloc -Q -N3 -n12 --ntasks-per-node=4 srun {place} {prog}")
	}},
	{"two steps at once (--overlap)", func(col column) *cell {
		c := once(col, "slurm", "salloc -Q {place} bash -c 'srun --overlap {prog} >out-$$ & srun --overlap {prog}; wait $!; s=$?; cat out-$$; exit $s'")
		c.want = append(c.want, c.want[0])
		return c
	}},
	{"20 steps back to back", func(col column) *cell {
		c := once(col, "slurm", "salloc -Q {place} bash -c 'for i in {1..20}; do srun {prog} || exit; done'")
		for len(c.want) < 20 {
			c.want = append(c.want, c.want[0])
		}
		c.helloOnly = true
		return c
	}},
	{"step of two programs", func(col column) *cell {
		c := once(col, "slurm", "srun {place} bash -c '{prog} && {prog}'")
		c.want = append(c.want, c.want[0])
		return c
	}},
	{"srun inside srun --mpi=pmi2", func(col column) *cell {
		// The inner ranks inherit PMI_FD and its relatives, but no such descriptor.
		return once(col, "slurm", "salloc -Q {place} env -u SLURM_NTASKS_PER_NODE srun --mpi=pmi2 -N1 -n1 --overlap srun --mpi=none --overlap -m block {place} {prog}")
	}},
	{"mpiexec.hydra inside srun --mpi=pmi2", func(col column) *cell {
		if len(col.nodes) > 1 {
			return nil
		}
		return once(col, "pmi", "srun --mpi=pmi2 -w {nodes} -N1 -n1 mpiexec.hydra -launcher fork -n {size} {prog}")
	}},
	{"mpiexec.openmpi inside mpiexec.hydra", func(col column) *cell {
		if len(col.nodes) > 1 {
			return nil
		}
		// hydra's variables, which its ranks inherit too, look like a connection
		// that was lost; only the user knows that they are not.
		c := openMPI(col, "mpiexec.hydra -launcher ssh -hosts {nodes} -n 1 mpiexec.openmpi --bind-to none --oversubscribe -n {size} {prog}")
		c.advises = "AME_BOOTSTRAP"
		return c
	}},
	{"step of an array task", func(col column) *cell {
		c := once(col, "slurm", batch("--array=0-1 {place}", "srun {prog}"))
		c.want = append(c.want, c.want[0])
		return c
	}},
	{"requeued job, srun", func(col column) *cell {
		return once(col, "slurm", batch("--requeue {place}",
			"srun {prog}\nif [ -z \"$SLURM_RESTART_COUNT\" ]; then scontrol requeue $SLURM_JOB_ID; sleep 60; fi"))
	}},
	{"sbatch without srun", func(col column) *cell {
		c := once(col, "single", batch("{place}", "{prog}"))
		return alone(c, col.hosts[0])
	}},
	{"interactive step", func(col column) *cell {
		// What salloc starts on a node with LaunchParameters=use_interactive_step.
		c := once(col, "single", "salloc -Q {place} srun --interactive --preserve-env -N1 -n1 {prog}")
		return alone(c, col.hosts[0])
	}},
	{"salloc without srun", func(col column) *cell {
		c := once(col, "single", "salloc -Q {place} {prog}")
		return alone(c, "ctl")
	}},
}

// hetGroups launches over two components of a heterogeneous job, of which the
// first is on the last node.
func hetGroups(col column) *cell {
	if len(col.nodes) == 1 {
		return nil // the components of a job have nodes of their own
	}
	job := map[int]struct {
		first, second string
		hosts         []string
	}{
		2: {"-w c3 -N1 -n1", "-w c2 -N1 -n3", []string{"c3", "c2", "c2", "c2"}},
		3: {"-w c3 -N1 -n1", "-w c[1-2] -N2 -n4 --ntasks-per-node=2", []string{"c3", "c1", "c1", "c2", "c2"}},
	}[len(col.nodes)]
	return onHosts(col, job.hosts, "slurm", batch(job.first+" : "+job.second, "srun --het-group=0,1 {prog}"))
}
