//go:build unix

package ame

import (
	"fmt"
	"syscall"
)

// spareDescriptors is how many a program needs besides its connections: those
// of the runtime and the launcher, a listener, files of its own.
const spareDescriptors = 20

// enoughDescriptors returns an error if this process may not open as many
// connections.
func enoughDescriptors(connections int) error {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return nil
	}
	if need := uint64(connections + spareDescriptors); limit.Cur < need {
		return fmt.Errorf("too many open files: %d ranks need about %d, and ulimit -n is %d: raise it where the job starts, or start fewer ranks", connections+1, need, limit.Cur)
	}
	return nil
}
