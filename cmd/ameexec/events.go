package main

import (
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// step waits for the next event and handles it. It returns false when no
// process of the job is left, or some are that do not die.
func (l *launcher) step() bool {
	select {
	case e, ok := <-l.reaper.exits:
		if !ok {
			return false
		}
		l.ended(e)
	case o, ok := <-l.orders:
		if !ok {
			l.frontGone()
			break
		}
		l.forward(o.Signal)
	case s := <-l.signals:
		l.forward(s.(syscall.Signal))
	case b := <-l.blamed:
		l.verdict.Blame(b.rank, b.peer)
	case failure := <-l.mpi.failed:
		l.mpiFailed(failure)
	case <-l.mpi.silence:
		l.explainSilence()
	case <-l.mpi.doubtEnd:
		l.believe()
	case err := <-l.output.failure:
		l.outputFailed(err)
	case <-l.timeout:
		l.timedOut()
		l.stop()
	case <-l.ending.reprieve:
		l.reprieveOver()
	case <-l.ending.suspend:
		l.send(syscall.SIGSTOP)
	case <-l.ending.explain:
		l.explainInterrupt()
	case <-l.ending.kill:
		l.graceOver()
	case <-l.ending.sweep():
		return l.sweepAgain()
	}
	return true
}

// ended takes note of a process that is gone.
func (l *launcher) ended(e exit) {
	rank, isRank := l.ranks[e.pid]
	if !isRank {
		return // one that a rank left behind
	}
	delete(l.ranks, e.pid)
	l.hearBlame()
	how := launch.Describe(e.status)
	failure, ownFault := l.verdict.Add(rank, e.status)
	if ownFault && e.status.Signaled() && e.status.Signal() == syscall.SIGKILL {
		how += l.memory.verdict()
	}
	l.log.Debug("ended", "rank", rank, "pid", e.pid, "how", how)
	for _, service := range l.services {
		service.Exited(rank, how)
	}
	switch {
	case failure && l.mpi.told(rank):
	case failure && ownFault && l.verdict.Blames(rank) && !e.status.Signaled():
		l.ending.bereaved++
	case failure && ownFault:
		l.output.say("rank %d (pid %d) on %s: %s", rank, e.pid, l.plan.Host, how)
	case failure && !l.mpi.blames(rank):
		l.ending.stopped++
	}
	if failure && l.ending.reprieve == nil {
		l.ending.reprieve = time.After(reprieve)
	}
	if l.mpi.doubts(rank) {
		l.believe()
	}
	if len(l.ranks) == 0 {
		l.killAll() // what the ranks left behind
	}
}

// blame is that rank ends because it has lost peer.
type blame struct{ rank, peer int }

// lost takes note, in any goroutine, of a rank that another one has lost. It
// does not wait: as many as there is room for are enough.
func (l *launcher) lost(rank, peer int) {
	select {
	case l.blamed <- blame{rank, peer}:
	default:
	}
}

// patientInterrupts is how many SIGINT are passed on; the next one kills. The
// first asks a program to finish what it does, the second to end now.
const patientInterrupts = 2

// explainDelay is how long after the first SIGINT the user, who may think that
// it was lost, is told what becomes of it. Most programs have ended by then.
const explainDelay = time.Second

// stopDelay is how long a rank has to do what it does at SIGTSTP, such as to
// restore its terminal.
const stopDelay = 50 * time.Millisecond

// forward passes a signal on to every rank's process group.
func (l *launcher) forward(s syscall.Signal) {
	l.log.Debug("signal", "signal", s)
	l.ending.suspend = nil
	switch s {
	case syscall.SIGINT:
		l.ending.interrupts++
		l.ending.explain = nil
		if l.ending.interrupts > patientInterrupts {
			l.verdict.Settle(statusSignal + int(s))
			l.ending.hopeless = true
			l.killAll()
			return
		}
		if l.ending.interrupts == patientInterrupts {
			l.ending.hopeless = true
			l.output.say("interrupt passed on once more; another one kills all ranks")
		} else {
			l.ending.explain = time.After(explainDelay)
		}
	case syscall.SIGTERM:
		if l.ending.kill == nil {
			l.ending.terminated = true
			l.ending.grace = l.plan.Patience
			l.ending.kill = time.After(l.plan.Patience)
		}
	case syscall.SIGTSTP:
		// A session of its own has nobody to continue it, so that the kernel
		// does not stop a rank by SIGTSTP: POSIX, orphaned process groups.
		l.ending.suspend = time.After(stopDelay)
		l.output.hideBar()
	}
	l.send(s)
}

// explainInterrupt tells a user who has interrupted once what the ranks make of it.
func (l *launcher) explainInterrupt() {
	l.ending.explain = nil
	if left := len(l.ranks); left > 0 && !l.ending.stopping {
		l.output.say("interrupt passed on, and %s still at work; a second one is passed on, too, a third one kills",
			count(left, "rank is", "ranks are"))
	}
}

// send signals the process group of every rank that runs.
func (l *launcher) send(s syscall.Signal) {
	l.verdict.Expect(s)
	for pid := range l.ranks {
		syscall.Kill(-pid, s)
	}
}

// timedOut notes that --timeout has passed.
func (l *launcher) timedOut() {
	l.output.say("timeout: %v have passed", l.plan.Timeout)
	l.verdict.Settle(statusTimeout)
	l.ending.hopeless = true
}

// outputFailed ends a job whose output nobody takes, or does not fit.
func (l *launcher) outputFailed(err error) {
	l.ending.hopeless = true
	if brokenPipe(err) {
		l.verdict.Settle(statusSignal + int(syscall.SIGPIPE)) // as if it had hit a program
	} else {
		l.output.say("output: %v", err)
		l.verdict.Settle(statusError)
	}
	l.stop()
}
