package main

import (
	"math"
	"os"
	"runtime"
	"strconv"
)

// usableCPUs is how many ranks this machine has room for: one per processor
// that this process may run on, as far as its quota of processor time goes.
func usableCPUs() int {
	cpus := runtime.NumCPU()
	if quota, ok := cpuQuota("/"); ok {
		cpus = min(cpus, atLeast(1, quota))
	}
	return cpus
}

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
	quota, ok := cpuQuota(root)
	if !ok || quota >= float64(runtime.NumCPU()) {
		return nil
	}
	return []string{"GOMAXPROCS=" + strconv.Itoa(atLeast(minShare, quota/float64(size)))}
}

// atLeast rounds up, but returns no less than least.
func atLeast(least int, n float64) int { return max(least, int(math.Ceil(n))) }
