// Package slurm reads what Slurm tells a process: the names of its nodes
// (hostlists), its place in a step (environment variables), and who somebody
// else is (MUNGE credentials).
//
// It is not a client of slurmctld. Nothing here talks to Slurm's daemons, reads
// slurm.conf or starts srun. It works from two things: the environment that
// slurmstepd gave the process, which a caller passes as a lookup function, and
// munged's socket on this node.
//
// The facts were taken from Slurm 22.05 to 26.05 and munge 0.5.11 to 0.5.18.
// Where versions differ, both forms are read.
package slurm
