package launch

import (
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// statusSignal plus a signal's number is the status of a process that the
// signal killed, as in sh(1).
const statusSignal = 128

// Verdict decides the exit status of a job from those of its processes.
//
// It is that of the first failure. But when one rank fails, the others fail
// too, and may be seen to end first. So until Close there is a better claim
// than being first: to be blamed by others, and before all to be killed by a
// signal that the launcher has not sent, which no rank does for the sake of
// another. The zero Verdict is ready to use.
type Verdict struct {
	status int              // of the failure with the best claim
	claim  claim            // its claim
	failed map[int]int      // status of each rank that has failed
	blamed map[int]bool     // ranks that others name as the cause
	sent   []syscall.Signal // what the launcher sent to all ranks, and may have ended them
}

// claim is how good a reason a status is, from none to the best.
type claim int

const (
	noClaim claim = iota
	first
	named
	killed
	final // nothing comes before it any more
)

// Add judges how a rank ended, in the order of their ends. failure says that
// the rank failed; its own fault that what the launcher sent did not cause it.
func (v *Verdict) Add(rank int, ws syscall.WaitStatus) (failure, ownFault bool) {
	status := ExitStatus(ws)
	if status == 0 {
		return false, false
	}
	if v.failed == nil {
		v.failed = make(map[int]int)
	}
	v.failed[rank] = status
	obeyed := v.obeyed(status)
	ownFault = v.claim == noClaim || !obeyed
	switch {
	case ws.Signaled() && !obeyed:
		v.prefer(killed, status)
	case v.blamed[rank]:
		v.prefer(named, status)
	default:
		v.prefer(first, status)
	}
	return true, ownFault
}

// obeyed says whether a status is that of a process which did what the
// launcher's signals asked for.
func (v *Verdict) obeyed(status int) bool {
	return slices.ContainsFunc(v.sent, func(s syscall.Signal) bool { return status == statusSignal+int(s) })
}

func (v *Verdict) prefer(c claim, status int) {
	if c > v.claim {
		v.claim, v.status = c, status
	}
}

// Blame says that other ranks name this one as the cause of their failure.
func (v *Verdict) Blame(rank int) {
	if v.blamed == nil {
		v.blamed = make(map[int]bool)
	}
	v.blamed[rank] = true
	if status, ok := v.failed[rank]; ok {
		v.prefer(named, status)
	}
}

// Expect says that the launcher sends signal to all ranks.
func (v *Verdict) Expect(signal syscall.Signal) {
	if !slices.Contains(v.sent, signal) {
		v.sent = append(v.sent, signal)
	}
}

// Settle sets the exit status unless a rank has failed already.
func (v *Verdict) Settle(status int) {
	if v.claim == noClaim {
		v.claim, v.status = final, status
	}
}

// Close keeps what fails from now on from changing the status of a job that
// has failed.
func (v *Verdict) Close() {
	if v.claim != noClaim {
		v.claim = final
	}
}

// Status is the exit status of the job, as far as it is known.
func (v *Verdict) Status() int { return v.status }

// ExitStatus is the status that a shell reports.
func ExitStatus(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return statusSignal + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// Describe says in words how a process ended.
func Describe(ws syscall.WaitStatus) string {
	if !ws.Signaled() {
		return fmt.Sprintf("exit status %d", ws.ExitStatus())
	}
	core := ""
	if ws.CoreDump() {
		core = ", core dumped"
	}
	return fmt.Sprintf("killed by signal %d (%s%s)", int(ws.Signal()), unix.SignalName(ws.Signal()), core)
}
