//go:build integration

package integration

import "strings"

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
