package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// adopt makes this process the parent of all its descendants whose parents
// die, so that none gets lost.
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// rankAttributes gives a rank a session of its own, as hydra does, and has the
// kernel kill it when the thread that started it dies. The kernel shares the
// processors out among sessions (sched(7), autogroup): in one session, all
// ranks together get as much as any other program of the user. Four ranks of
// MPICH that spin in barriers beside four busy processes on two cores do three
// times as many this way.
func rankAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}
