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
