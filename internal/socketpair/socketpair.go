//go:build unix

// Package socketpair makes pairs of connected sockets, of which a child process
// inherits one.
package socketpair

import (
	"fmt"
	"os"
	"syscall"
)

// New returns the ends of a new Unix stream socket, closed on exec. The name
// is for error messages of the files.
func New(name string) (a, b *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name), nil
}
