package main

import (
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// verdict decides the exit status of the job from those of its ranks.
type verdict struct {
	status  int              // of the first failure
	settled bool             // there is one
	sent    []syscall.Signal // what ameexec sent to all ranks, and may have ended them
}

// add judges how a rank ended, in the order of their ends. failure says that
// the rank failed; its own fault that ameexec's signals did not cause it.
func (v *verdict) add(ws syscall.WaitStatus) (failure, ownFault bool) {
	status := exitStatus(ws)
	if status == 0 {
		return false, false
	}
	if !v.settled {
		v.settle(status)
		return true, true
	}
	for _, signal := range v.sent {
		if status == statusSignal+int(signal) {
			return true, false
		}
	}
	return true, true
}

// expect says that ameexec sends signal to all ranks.
func (v *verdict) expect(signal syscall.Signal) {
	if !slices.Contains(v.sent, signal) {
		v.sent = append(v.sent, signal)
	}
}

// settle sets the exit status unless there is one.
func (v *verdict) settle(status int) {
	if !v.settled {
		v.status, v.settled = status, true
	}
}

// exitStatus is the status that a shell reports.
func exitStatus(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return statusSignal + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// describeStatus says in words how a process ended.
func describeStatus(ws syscall.WaitStatus) string {
	if !ws.Signaled() {
		return fmt.Sprintf("exit status %d", ws.ExitStatus())
	}
	core := ""
	if ws.CoreDump() {
		core = ", core dumped"
	}
	return fmt.Sprintf("killed by signal %d (%s%s)", int(ws.Signal()), unix.SignalName(ws.Signal()), core)
}
