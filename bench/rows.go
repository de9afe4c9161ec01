package main

import "regexp"

// Who is measured, as the table names them.
const (
	ours       = "dlp"
	plain      = "plain Go"
	openMemory = "Open MPI, memory"
	openTCP    = "Open MPI, TCP"
	python     = "mpi4py"
	futures    = "mpi4py.futures"
	oursHydra  = "dlp under hydra"
	mpich      = "MPICH under hydra"
	hydraTrue  = "hydra of true"
	line       = "a Go program that prints a line"
	serial     = "corpus --serial"
	xargs      = "xargs -P"
	parallel   = "GNU parallel"
)

// row is a line of the table: who against whom, in what.
type row struct {
	title     string
	measure   key
	ours      string
	reference key
	against   string
	bound     float64 // the ratio that is aimed at; 0: none
}

// key says what was measured.
type key struct {
	measure string
	ranks   int
}

// rows are the table. Small ratios are good.
var rows = []row{
	{"message of 8 bytes and back, 2 ranks", key{"pingpong", 2}, ours, key{"pingpong", 0}, plain, 0.3},
	{"", key{"pingpong", 2}, ours, key{"pingpong", 2}, openMemory, 1.5},
	{"", key{"pingpong", 2}, ours, key{"pingpong", 2}, openTCP, 0},
	{"", key{"pingpong", 2}, ours, key{"pingpong", 2}, python, 0},
	{"the same between two workers of 3 ranks", key{"workers", 3}, ours, key{"pingpong", 3}, ours, 1.1},
	{"barrier, 4 ranks", key{"barrier", 4}, ours, key{"barrier", 4}, openMemory, 1},
	{"barrier, 8 ranks", key{"barrier", 8}, ours, key{"barrier", 8}, openMemory, 1},
	{"BcastInto 64 MiB, 4 ranks", key{"bcast", 4}, ours, key{"bcast", 4}, openMemory, 0.75},
	{"", key{"bcast", 4}, ours, key{"bcast", 4}, openTCP, 0.8},
	{"", key{"bcast", 4}, ours, key{"memcpy", 0}, plain, 0},
	{"GatherInto 64 MiB per rank, 4 ranks", key{"gather", 4}, ours, key{"gather", 4}, openMemory, 0.8},
	{"", key{"gather", 4}, ours, key{"gather", 4}, python, 0.12},
	{"ScatterInto 1 MiB per rank, 4 ranks", key{"scatter", 4}, ours, key{"scatter", 4}, openTCP, 1},
	{"AllgatherInto 1 MiB per rank, 4 ranks", key{"allgather", 4}, ours, key{"allgather", 4}, openTCP, 1},
	{"AllreduceInto 8 MiB float64, 4 ranks", key{"allreduce", 4}, ours, key{"allreduce", 4}, openMemory, 1},
	{"", key{"allreduce", 4}, ours, key{"allreduce", 4}, openTCP, 1},
	{"MapUnordered, trivial item, 3 workers", key{"map", 4}, ours, key{"map", 4}, futures, 0.25},
	{"start and end of 32 ranks with a barrier", key{"start", 32}, ours, key{"start", 32}, mpich, 0.15},
	{"", key{"start", 32}, oursHydra, key{"start", 32}, mpich, 0},
	{"", key{"start", 32}, oursHydra, key{"start", 32}, hydraTrue, 3},
	{"ameexec -n 1000 dlp-hello", key{"hello", 1000}, ours, key{"hello", 1000}, line, 1.3},
	{"dlp map of 2,000 times true", key{"commands", 0}, ours, key{"commands", 0}, xargs, 1.25},
	{"", key{"commands", 0}, ours, key{"commands", 0}, parallel, 0.25},
	{"dlp map of 400 times sleep 0.01", key{"sleeps", 0}, ours, key{"sleeps", 0}, xargs, 1.25},
	{"dlp map of 200,000 lines, --worker cat", key{"lines", 0}, ours, key{"lines", 0}, plain, 2},
	{"corpus on 2 ranks", key{"corpus", 2}, ours, key{"corpus", 2}, serial, 1 / 1.8},
}

// chosen are the rows whose title or measure matches.
func chosen(wanted *regexp.Regexp) []row {
	var found []row
	title := ""
	for _, r := range rows {
		if r.title == "" {
			r.title = title
		}
		title = r.title
		if wanted.MatchString(r.title) || wanted.MatchString(r.measure.measure) {
			found = append(found, r)
		}
	}
	return found
}
