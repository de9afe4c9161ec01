//go:build !linux

package control

import "syscall"

// Go programs ignore SIGPIPE on descriptors other than 1 and 2, os/signal.
const sendFlags = syscall.MSG_DONTWAIT
