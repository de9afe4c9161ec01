//go:build !linux

package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func selfPath() (string, error) { return os.Executable() }

// noexecMount does not know here.
func noexecMount(string) string { return "" }

// adopt does nothing: there is no subreaper here, daemons get away.
func adopt() error { return nil }

// rename does nothing: the name is that of the first argument.
func rename(string) {}

func rankAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}

func terminalAttributes(file *os.File) error {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TIOCGETA)
	return err
}

// terminalWidth returns how many columns the terminal at stderr has.
func terminalWidth() int {
	size, err := unix.IoctlGetWinsize(int(os.Stderr.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return defaultWidth
	}
	return int(size.Col)
}
