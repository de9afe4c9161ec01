package main

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// selfPath starts this very program again, also if its file was replaced.
func selfPath() (string, error) { return "/proc/self/exe", nil }

// adopt makes this process the parent of all its descendants whose parents
// die, so that none gets lost.
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// rename sets the name that killall(1) and pkill(1) go by.
func rename(name string) {
	text, err := unix.BytePtrFromString(name)
	if err == nil {
		unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(text)), 0, 0, 0)
	}
}

// rankAttributes puts a rank in a process group of its own and has the kernel
// kill it when the thread that started it dies.
func rankAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// terminalAttributes fails unless file is a terminal.
func terminalAttributes(file *os.File) error {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err
}
