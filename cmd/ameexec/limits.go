package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Descriptors that ame-launcher holds: per rank, a control channel, a PMI
// connection, two pipes and, while the ranks join, two of a session; and a few
// of its own.
const (
	descriptorsPerRank = 6
	descriptorsAlways  = 32
)

// checkLimits refuses a job that this machine would refuse half way through.
// The Go runtime has already raised the soft limit of descriptors to the hard
// one, and gives the ranks the limit that ameexec was started with.
func checkLimits(size int) error {
	if limit, ok := processLimit(); ok && uint64(size) > limit {
		return withStatus(statusError, "-n %d: the limit of processes is %d (ulimit -u)", size, limit)
	}
	need := uint64(size)*descriptorsPerRank + descriptorsAlways
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && need > uint64(limit.Cur) {
		return withStatus(statusError, "-n %d: needs %d open files, the limit is %d (ulimit -Hn)", size, need, limit.Cur)
	}
	return nil
}

// processLimit is how many processes the user may have, if that is limited.
func processLimit() (uint64, bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
		return 0, false
	}
	return uint64(limit.Cur), true // RLIM_INFINITY is the largest number
}
