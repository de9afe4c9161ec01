package main

import (
	"os"
	"runtime"
	"strconv"

	"github.com/dlp-mpi/dlp-go/internal/cgroup"
	"github.com/dlp-mpi/dlp-go/internal/cpus"
)

// minShare is the least that a rank gets as GOMAXPROCS: with 1, the loop body
// of rank 0 starves the manager beside it.
const minShare = 2

// shareOfQuota returns the variable that keeps the Go runtimes of size ranks
// from starting more threads than a quota has time for, nil if there is none
// or the user has chosen a number.
func shareOfQuota(root string, size int) []string {
	if _, set := os.LookupEnv("GOMAXPROCS"); set {
		return nil
	}
	quota, ok := cgroup.CPUQuota(root)
	if !ok || quota >= float64(runtime.NumCPU()) {
		return nil
	}
	return []string{"GOMAXPROCS=" + strconv.Itoa(cpus.AtLeast(minShare, quota/float64(size)))}
}
