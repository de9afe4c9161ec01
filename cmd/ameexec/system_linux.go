package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// selfPath starts this very program again, also if its file was replaced.
func selfPath() (string, error) {
	const path = "/proc/self/exe"
	if _, err := os.Lstat(path); err != nil {
		return "", errors.New("/proc is not mounted here, and ameexec finds the processes of a job by it")
	}
	return path, nil
}

// noexecMount returns where the file system of path is mounted, if nothing may
// be executed there.
func noexecMount(path string) string {
	var info unix.Statfs_t
	if unix.Statfs(path, &info) != nil || info.Flags&unix.ST_NOEXEC == 0 {
		return ""
	}
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	var here, above unix.Stat_t
	for err == nil && unix.Stat(path, &here) == nil && unix.Stat(filepath.Dir(path), &above) == nil {
		if here.Dev != above.Dev || path == "/" {
			break
		}
		path = filepath.Dir(path)
	}
	return path
}

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

// rankAttributes gives a rank a session of its own, as hydra does, and has the
// kernel kill it when the thread that started it dies. The kernel shares the
// processors out among sessions (sched(7), autogroup): in one session, all
// ranks together get as much as any other program of the user. Four ranks of
// MPICH that spin in barriers beside four busy processes on two cores do three
// times as many this way.
func rankAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// terminalAttributes fails unless file is a terminal.
func terminalAttributes(file *os.File) error {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
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
