package launch

import (
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Verdict decides the exit status of a job from those of its processes.
//
// It is that of the first failure. But when one rank fails, the others fail
// too, and may be seen to end first. So until Close there are better claims
// than being first: to be killed by a signal that the launcher has not sent,
// which no rank does for the sake of another; and to be blamed by ranks while
// blaming none. The zero Verdict is ready to use.
type Verdict struct {
	failures []failure        // in the order of their ends
	blames   map[int]int      // whom a rank has lost
	sent     []syscall.Signal // what the launcher sent to all ranks, and may have ended them
	final    bool
	status   int // if final
}

// failure is the end of a rank that failed.
type failure struct {
	rank, status int
	killed       bool // by a signal that the launcher has not sent
	obeyed       bool // it did what a signal asked for that the launcher has sent
}

// Add judges how a rank ended, in the order of their ends. failed says that
// the rank failed; its own fault that what the launcher sent did not cause it.
func (v *Verdict) Add(rank int, ws syscall.WaitStatus) (failed, ownFault bool) {
	status := ExitStatus(ws)
	if status == 0 {
		return false, false
	}
	obeyed := slices.ContainsFunc(v.sent, func(s syscall.Signal) bool { return status == StatusSignal+int(s) })
	first := !v.final && len(v.failures) == 0
	v.failures = append(v.failures, failure{rank, status, ws.Signaled() && !obeyed, obeyed})
	return true, first || !obeyed
}

// Blame says that rank names another one, peer, as the cause of its failure.
// Only its first word counts.
func (v *Verdict) Blame(rank, peer int) {
	if v.blames == nil {
		v.blames = make(map[int]int)
	}
	if _, said := v.blames[rank]; !said {
		v.blames[rank] = peer
	}
}

// Blames says whether rank has named another one.
func (v *Verdict) Blames(rank int) bool {
	_, ok := v.blames[rank]
	return ok
}

// Expect says that the launcher sends signal to all ranks.
func (v *Verdict) Expect(signal syscall.Signal) {
	if !slices.Contains(v.sent, signal) {
		v.sent = append(v.sent, signal)
	}
}

// Settle sets the exit status unless a rank has failed already.
func (v *Verdict) Settle(status int) {
	if !v.final && len(v.failures) == 0 {
		v.final, v.status = true, status
	}
}

// Close keeps what happens from now on from changing the status of a job that
// has failed.
func (v *Verdict) Close() {
	if len(v.failures) > 0 {
		v.final, v.status = true, v.Status()
	}
}

// Status is the exit status of the job, as far as it is known.
func (v *Verdict) Status() int {
	switch {
	case v.final:
		return v.status
	case len(v.failures) == 0:
		return 0
	}
	for _, claim := range []func(failure) bool{
		func(f failure) bool { return f.killed },
		func(f failure) bool { return !f.obeyed && slices.Contains(v.Culprits(), f.rank) },
	} {
		if i := slices.IndexFunc(v.failures, claim); i >= 0 {
			return v.failures[i].status
		}
	}
	return v.failures[0].status
}

// Culprits returns the ranks that others name as the cause of their failure,
// and that name nobody themselves. They may not have ended yet.
func (v *Verdict) Culprits() (ranks []int) {
	for _, peer := range v.blames {
		if !v.Blames(peer) && !slices.Contains(ranks, peer) {
			ranks = append(ranks, peer)
		}
	}
	slices.Sort(ranks)
	return ranks
}

// ExitStatus is the status that a shell reports.
func ExitStatus(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return StatusSignal + int(ws.Signal())
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
