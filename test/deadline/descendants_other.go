//go:build !linux

package deadline

import "syscall"

// signalDescendants does nothing: only Linux tells who they are.
func signalDescendants(syscall.Signal) {}
