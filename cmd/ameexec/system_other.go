//go:build !linux

package main

import "syscall"

// adopt does nothing: there is no subreaper here, daemons get away.
func adopt() error { return nil }

func rankAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}
