package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// program is one command that is measured.
type program struct {
	who   string   // as the table names it
	ranks int      // 0: does not matter
	argv  []string // with ranksHere and measuresHere in place of those
	wall  string   // the measure that the time of the whole command is; "": it prints its measures
	wants []string // the measures that it prints

	needs   string // a file that is there if this is installed; "": always
	install string // how to get it
}

// build makes the programs that are ours, and those in C for which there is a
// compiler.
func build(ctx context.Context, dir string) error {
	for _, pkg := range []string{"./bench/ours", "./bench/plain", "./bench/line", "./cmd/ameexec", "./cmd/dlp", "./cmd/dlp-hello", "./examples/corpus"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", dir+"/", pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", cmd, err, out)
		}
	}
	for _, mpi := range []string{"openmpi", "mpich"} {
		compiler := "mpicc." + mpi
		if _, err := exec.LookPath(compiler); err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, compiler, "-O2", "-o", filepath.Join(dir, "mpi-"+mpi), "bench/c/mpi.c")
		if out, err := cmd.CombinedOutput(); err != nil { // mostly the headers are missing
			log.Printf("%v: %v\n%s", cmd, err, out)
		}
	}
	return nil
}

// programs are all that can be measured.
func programs(dir string) []program {
	in := func(name string) string { return filepath.Join(dir, name) }
	const apt = "openmpi-bin libopenmpi-dev"
	c := in("mpi-openmpi")
	all := []program{{who: plain, argv: []string{in("plain"), measuresHere}, wants: []string{"pingpong", "memcpy"}}}
	for _, ranks := range []int{2, 3, 4, 8} {
		all = append(all,
			program{who: ours, ranks: ranks, argv: []string{in("ameexec"), "-n", ranksHere, in("ours"), measuresHere}, wants: ourMeasures},
			program{who: openMemory, ranks: ranks, argv: openMPI(c, measuresHere), wants: mpiMeasures, needs: c, install: apt},
			program{who: openTCP, ranks: ranks, argv: openMPI("--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "lo", c, measuresHere), wants: mpiMeasures, needs: c, install: apt},
			program{who: python, ranks: ranks, argv: openMPI("/usr/bin/python3", "bench/python/micro.py", measuresHere), wants: pythonMeasures, needs: mpi4py, install: mpi4pyPackages},
		)
	}
	const hydra = "/usr/bin/mpiexec.hydra"
	underHydra := func(command string) []string { return []string{hydra, "-n", ranksHere, command} }
	return append(all,
		program{who: futures, ranks: 4, argv: openMPI("/usr/bin/python3", "-m", "mpi4py.futures", "bench/python/futures.py"), wants: []string{"map"}, needs: mpi4py, install: mpi4pyPackages},
		program{who: ours, ranks: 32, argv: []string{in("ameexec"), "-n", ranksHere, in("ours")}, wall: "start"},
		program{who: oursHydra, ranks: 32, argv: underHydra(in("ours")), wall: "start", needs: hydra, install: "hydra"},
		program{who: mpich, ranks: 32, argv: underHydra(in("mpi-mpich")), wall: "start", needs: in("mpi-mpich"), install: "mpich libmpich-dev"},
		program{who: hydraTrue, ranks: 32, argv: underHydra("true"), wall: "start", needs: hydra, install: "hydra"},
		program{who: ours, ranks: 1000, argv: []string{in("ameexec"), "-n", ranksHere, in("dlp-hello")}, wall: "hello"},
		program{who: line, ranks: 1000, argv: []string{in("ameexec"), "-n", ranksHere, in("line")}, wall: "hello"},
		program{who: ours, argv: []string{in("dlp"), "map", "-q", "--range", "1-2000", "true"}, wall: "commands"},
		program{who: xargs, argv: shell(`seq 2000 | xargs -P "$(nproc)" -n 1 true`), wall: "commands"},
		program{who: parallel, argv: shell(`seq 2000 | parallel true`), wall: "commands", needs: "/usr/bin/parallel", install: "parallel"},
		program{who: ours, argv: []string{in("dlp"), "map", "-q", "--range", "1-400", "sleep", "0.0100{}"}, wall: "sleeps"},
		program{who: xargs, argv: shell(`seq 400 | xargs -P "$(nproc)" -I{} sleep 0.0100{}`), wall: "sleeps"},
		program{who: ours, argv: []string{in("dlp"), "map", "-q", "--range", "1-200000", "--worker", "cat"}, wall: "lines"},
		program{who: plain, argv: []string{in("plain"), "lines", "200000"}, wall: "lines"},
		program{who: ours, ranks: 2, argv: []string{in("ameexec"), "-n", ranksHere, in("corpus")}, wall: "corpus"},
		program{who: serial, ranks: 2, argv: []string{in("corpus"), "--serial"}, wall: "corpus"},
	)
}

const (
	ranksHere    = "{ranks}"
	measuresHere = "{measures}"

	mpi4py         = "/usr/lib/python3/dist-packages/mpi4py/__init__.py"
	mpi4pyPackages = "python3-mpi4py openmpi-bin"
)

var (
	ourMeasures    = []string{"pingpong", "workers", "barrier", "bcast", "gather", "scatter", "allgather", "allreduce", "map", "map-100us"}
	mpiMeasures    = []string{"pingpong", "barrier", "bcast", "gather", "scatter", "allgather", "allreduce"}
	pythonMeasures = []string{"pingpong", "barrier", "gather"}
)

// openMPI starts ranks of Open MPI.
func openMPI(command ...string) []string {
	return append([]string{"mpiexec.openmpi", "--allow-run-as-root", "--oversubscribe", "-n", ranksHere}, command...)
}

func shell(line string) []string { return []string{"sh", "-c", line} }

// command is what is run.
func (p program) command() []string {
	var argv []string
	for _, arg := range p.argv {
		switch arg {
		case ranksHere:
			argv = append(argv, strconv.Itoa(p.ranks))
		case measuresHere:
			argv = append(argv, p.wants...)
		default:
			argv = append(argv, arg)
		}
	}
	return argv
}

// measures are those that the program gives.
func (p program) measures() []string {
	if p.wall != "" {
		return []string{p.wall}
	}
	return p.wants
}
