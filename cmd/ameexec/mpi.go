package main

import (
	"debug/elf"
	"path/filepath"
	"regexp"
	"time"
)

// mpiSilence is how long after the start the ranks of an MPI program may be
// silent: MPI_Init is usually the first thing that one does.
const mpiSilence = 10 * time.Second

// mpiLibrary is the name of a library by which a program would find the other
// ranks, if not by PMI-1: Open MPI's, MPICH's and its relatives', PMIx itself.
var mpiLibrary = regexp.MustCompile(`^lib(mpi|mpich|mpi_\w+|mpifort|pmix)\.so`)

// linkedWithMPI returns the first library of MPI or PMIx that a program is
// linked with, "" if there is none: also if it is a script, or static.
func linkedWithMPI(path string) string {
	file, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if err != nil {
		return ""
	}
	for _, library := range libraries {
		if mpiLibrary.MatchString(library) {
			return library
		}
	}
	return ""
}

// explainSilence says, once, that programs of MPI have not used the PMI server.
// Whatever else they are for, together they are not.
func (l *launcher) explainSilence() {
	if l.mpi.server == nil || l.mpi.explained || l.plan.size() == 1 || l.mpi.server.server.Heard() {
		return
	}
	for _, program := range l.plan.Programs {
		if library := linkedWithMPI(program.Path); library != "" {
			l.mpi.explained = true
			l.output.say("%s is linked with %s, but no rank has used PMI-1, by which ameexec serves MPI: if they called MPI_Init, each is rank 0 of 1; start it with the mpiexec of its MPI",
				filepath.Base(program.Args[0]), library)
			return
		}
	}
}
