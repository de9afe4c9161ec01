//go:build !linux

package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func selfPath() (string, error) { return os.Executable() }

// adopt does nothing: there is no subreaper here, daemons get away.
func adopt() error { return nil }

// rename does nothing: the name is that of the first argument.
func rename(string) {}

func rankAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func terminalAttributes(file *os.File) error {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TIOCGETA)
	return err
}
