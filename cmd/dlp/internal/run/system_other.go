//go:build !linux

package run

import "syscall"

// attributes give a process a session of its own, in which it has no terminal to
// wait for.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// reap waits for the end of a process and returns its status.
func reap(p *leader) syscall.WaitStatus {
	status := wait(p.pid)
	p.leaderEnded()
	return status
}
