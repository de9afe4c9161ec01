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
	// script runs on ctl. PROG stands for the program and its arguments.
	script string

	want    []placement // one for each report that the script prints
	method  string      // that all ranks must have used
	warning string      // a word that a warning must have

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
// In the script, PLACE stands for what the column says to srun, SLOTS for what it
// says to mpiexec, NODES and COUNT for the nodes and their number, SIZE for the
// number of ranks.
func onHosts(col column, hosts []string, method, script string) *cell {
	fill := strings.NewReplacer(
		"PLACE", col.srun,
		"SLOTS", col.slots,
		"NODES", strings.Join(col.nodes, ","),
		"COUNT", fmt.Sprint(len(col.nodes)),
		"SIZE", fmt.Sprint(len(hosts)),
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
	return "salloc -Q -w NODES -N COUNT --ntasks-per-node=4 env -u SLURM_NTASKS_PER_NODE " + launch
}

// openMPI is a cell of a launch by Open MPI, which may map ranks to hosts in
// another order than hydra and SLURM do. (It would also bind ranks to cores, and
// refuses where the nodes have fewer than SLURM was told.)
func openMPI(col column, script string) *cell {
	c := once(col, "pmix", script)
	c.want[0].anyOrder = true
	return c
}

var rows = []row{
	{"ameexec", func(col column) *cell {
		if len(col.nodes) > 1 {
			return nil // starts processes on its own machine only
		}
		return once(col, "ame", "ssh NODES /opt/dlp/ameexec -n SIZE PROG")
	}},
	{"mpiexec.hydra", func(col column) *cell {
		return once(col, "pmi", "mpiexec.hydra -launcher ssh -hosts SLOTS -n SIZE PROG")
	}},
	{"mpiexec.hydra -pmi-port", func(col column) *cell {
		return once(col, "pmi", "mpiexec.hydra -launcher ssh -pmi-port -hosts SLOTS -n SIZE PROG")
	}},
	{"mpiexec.openmpi", func(col column) *cell {
		return openMPI(col, "mpiexec.openmpi --bind-to none --host SLOTS -n SIZE PROG")
	}},
	{"srun --mpi=none", func(col column) *cell {
		return once(col, "slurm", "srun --mpi=none PLACE PROG")
	}},
	{"srun --mpi=pmi2", func(col column) *cell {
		return once(col, "pmi", "srun --mpi=pmi2 PLACE PROG")
	}},
	{"srun --mpi=pmix", func(col column) *cell {
		return once(col, "pmix", "srun --mpi=pmix PLACE PROG")
	}},
	{"salloc, srun", func(col column) *cell {
		return once(col, "slurm", "salloc -Q PLACE srun PROG")
	}},
	{"sbatch, srun", func(col column) *cell {
		return once(col, "slurm", batch("PLACE", "srun PROG"))
	}},
	{"sbatch, mpiexec.hydra", func(col column) *cell {
		return once(col, "pmi", batch("PLACE", "mpiexec.hydra PROG"))
	}},
	{"sbatch, mpiexec.openmpi", func(col column) *cell {
		return openMPI(col, batch("PLACE", "mpiexec.openmpi --bind-to none PROG"))
	}},
	{"sbatch, srun --het-group=0,1", hetGroups},
	{"srun : srun (MPMD)", func(col column) *cell {
		if len(col.nodes) != 3 {
			return nil
		}
		return onHosts(col, []string{"c3", "c1", "c1"}, "slurm", "srun -w c3 -N1 -n1 PROG : -w c1 -N1 -n2 PROG")
	}},
	{"srun -m cyclic", func(col column) *cell {
		hosts := map[int][]string{
			1: {"c2", "c2", "c2"},
			2: {"c2", "c3", "c2", "c3", "c2"},
			3: {"c1", "c2", "c3", "c1", "c2"},
		}[len(col.nodes)]
		return onHosts(col, hosts, "slurm", inRoom("srun -m cyclic -n SIZE PROG"))
	}},
	{"srun -m plane=2", func(col column) *cell {
		hosts := map[int][]string{
			1: {"c2", "c2", "c2"},
			2: {"c2", "c2", "c3", "c3", "c2"},
			3: {"c1", "c1", "c2", "c2", "c3"},
		}[len(col.nodes)]
		return onHosts(col, hosts, "slurm", inRoom("srun -m plane=2 -n SIZE PROG"))
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
			"printf '%s\\n' "+strings.Join(hosts, " ")+" >hosts-$$ && SLURM_HOSTFILE=hosts-$$ srun -m arbitrary -n SIZE PROG")
	}},
	{"salloc -N3, srun -w subset", func(col column) *cell {
		if len(col.nodes) == 3 {
			return nil
		}
		return once(col, "slurm", "salloc -Q -N3 -n12 --ntasks-per-node=4 srun PLACE PROG")
	}},
	{"two steps at once (--overlap)", func(col column) *cell {
		c := once(col, "slurm", "salloc -Q PLACE bash -c 'srun --overlap PROG >out-$$ & srun --overlap PROG; wait $!; s=$?; cat out-$$; exit $s'")
		c.want = append(c.want, c.want[0])
		return c
	}},
	{"20 steps back to back", func(col column) *cell {
		c := once(col, "slurm", "salloc -Q PLACE bash -c 'for i in {1..20}; do srun PROG || exit; done'")
		for len(c.want) < 20 {
			c.want = append(c.want, c.want[0])
		}
		c.helloOnly = true
		return c
	}},
	{"step of two programs", func(col column) *cell {
		c := once(col, "slurm", "srun PLACE bash -c 'PROG && PROG'")
		c.want = append(c.want, c.want[0])
		return c
	}},
	{"srun inside srun --mpi=pmi2", func(col column) *cell {
		// The inner ranks inherit PMI_FD and its relatives, but no such descriptor.
		return once(col, "slurm", "salloc -Q PLACE env -u SLURM_NTASKS_PER_NODE srun --mpi=pmi2 -N1 -n1 --overlap srun --mpi=none --overlap PLACE PROG")
	}},
	{"mpiexec.hydra inside srun --mpi=pmi2", func(col column) *cell {
		if len(col.nodes) > 1 {
			return nil
		}
		return once(col, "pmi", "srun --mpi=pmi2 -w NODES -N1 -n1 mpiexec.hydra -launcher fork -n SIZE PROG")
	}},
	{"mpiexec.openmpi inside mpiexec.hydra", func(col column) *cell {
		if len(col.nodes) > 1 {
			return nil
		}
		// hydra's variables, which its ranks inherit too, look like a connection
		// that was lost; only the user knows that they are not.
		c := openMPI(col, "mpiexec.hydra -launcher ssh -hosts NODES -n 1 mpiexec.openmpi --bind-to none --oversubscribe -n SIZE PROG")
		c.advises = "AME_BOOTSTRAP"
		return c
	}},
	{"step of an array task", func(col column) *cell {
		c := once(col, "slurm", batch("--array=0-1 PLACE", "srun PROG"))
		c.want = append(c.want, c.want[0])
		return c
	}},
	{"requeued job, srun", func(col column) *cell {
		return once(col, "slurm", batch("--requeue PLACE",
			"srun PROG\nif [ -z \"$SLURM_RESTART_COUNT\" ]; then scontrol requeue $SLURM_JOB_ID; sleep 60; fi"))
	}},
	{"sbatch without srun", func(col column) *cell {
		c := once(col, "single", batch("PLACE", "PROG"))
		c.want = []placement{{hosts: col.hosts[:1]}}
		c.warning = "srun"
		return c
	}},
	{"interactive step", func(col column) *cell {
		// What salloc starts on a node with LaunchParameters=use_interactive_step.
		c := once(col, "single", "salloc -Q PLACE srun --interactive --preserve-env -N1 -n1 PROG")
		c.want = []placement{{hosts: col.hosts[:1]}}
		c.warning = "srun"
		return c
	}},
	{"salloc without srun", func(col column) *cell {
		c := once(col, "single", "salloc -Q PLACE PROG")
		c.want = []placement{{hosts: []string{"ctl"}}}
		c.warning = "srun"
		return c
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
	return onHosts(col, job.hosts, "slurm", batch(job.first+" : "+job.second, "srun --het-group=0,1 PROG"))
}
