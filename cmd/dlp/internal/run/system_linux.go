package run

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes give a process a session of its own, in which it has no terminal to
// wait for, and have the kernel kill it when this process dies.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// reap waits for the end of a process and returns its status.
func reap(p *leader) syscall.WaitStatus {
	for errors.Is(unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	p.leaderEnded()
	return wait(p.pid)
}
