package main

import (
	"slices"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// ending is how far the end of a job is.
type ending struct {
	interrupts int
	explain    <-chan time.Time // when the user is told what becomes of the first interrupt
	suspend    <-chan time.Time // when the ranks are to be stopped, after a SIGTSTP
	reprieve   <-chan time.Time // when the first failure counts; nil: there is none
	prolonged  bool             // the reprieve was, for a rank that others have lost
	terminated bool             // somebody sent ameexec SIGTERM
	stopping   bool             // the ranks were asked to terminate, by us
	grace      time.Duration    // that they have
	kill       <-chan time.Time // when it is over
	ticker     *time.Ticker     // of sweeps; nil: not yet
	sweepEnd   time.Time
	hopeless   bool            // the reader of the output is gone or must not be waited for
	enough     <-chan struct{} // closed when he has had his time; nil: he has all of it
	orphaned   bool            // the front is gone
	stopped    int             // ranks that ended because we stopped them, for another one
	bereaved   int             // ranks that ended because they had lost another one
}

// reprieve is how long the others have to end by themselves when a rank has
// failed. The first to end is often not the one at fault: that one told the
// others, and then prints what has happened to it, such as the stack of a panic.
const reprieve = 100 * time.Millisecond

// reprieveOver decides whose failure the job's is, and stops the others.
func (l *launcher) reprieveOver() {
	l.hearBlame()
	if !l.ending.prolonged && slices.ContainsFunc(l.verdict.Culprits(), l.runs) {
		l.ending.prolonged = true // its links are gone already; how it ends says more
		l.ending.reprieve = time.After(lastWords)
		return
	}
	l.verdict.Close()
	if !l.plan.Continue {
		l.stop()
	}
}

// hearBlame takes note of what ranks have said of each other.
func (l *launcher) hearBlame() {
	for {
		select {
		case b := <-l.blamed:
			l.verdict.Blame(b.rank, b.peer)
		default:
			return
		}
	}
}

// stop asks all ranks to terminate; after the grace they are killed. Who was
// asked already is left to it: to many programs a second SIGTERM means now.
func (l *launcher) stop() {
	if l.ending.stopping {
		return
	}
	l.ending.stopping = true
	if !l.ending.terminated {
		l.send(syscall.SIGTERM)
	}
	l.send(syscall.SIGCONT) // who is stopped must run to terminate
	if l.ending.kill == nil {
		l.ending.grace = l.plan.Grace
		l.ending.kill = time.After(l.plan.Grace)
	}
}

// graceOver kills who has not ended.
func (l *launcher) graceOver() {
	if left := len(l.ranks); left > 0 && l.ending.ticker == nil {
		l.output.say("%s within %v of SIGTERM: killed", count(left, "rank did not end", "ranks did not end"), l.ending.grace)
	}
	if l.ending.terminated {
		l.verdict.Settle(statusSignal + int(syscall.SIGTERM))
		l.ending.hopeless = true
	}
	l.killAll()
}

// killAll kills everything that descends from this process, now and until
// nothing is left.
func (l *launcher) killAll() {
	if l.ending.ticker != nil {
		return
	}
	l.ending.stopping = true
	l.send(syscall.SIGKILL)
	launch.Sweep(l.groups, nil)
	l.ending.ticker = time.NewTicker(sweepPause)
	l.ending.sweepEnd = time.Now().Add(sweepLimit)
}

// sweep ticks when it is time for another look for what is left.
func (e *ending) sweep() <-chan time.Time {
	if e.ticker == nil {
		return nil
	}
	return e.ticker.C
}

// sweepAgain kills what is left, and returns false when that has no effect.
func (l *launcher) sweepAgain() bool {
	if launch.Sweep(l.groups, nil) > 0 && time.Now().After(l.ending.sweepEnd) {
		l.output.say("some processes do not die of SIGKILL, giving up after %v", sweepLimit)
		return false
	}
	return true
}

// frontGone ends a job whose front was killed: at once, for nobody waits.
func (l *launcher) frontGone() {
	l.orders = nil
	l.ending.orphaned = true
	l.verdict.Settle(statusSignal + int(syscall.SIGKILL))
	l.killAll()
}

// summary says how many ranks ended because another one had failed: they have
// said so themselves, and a line for each would hide that one's.
func (l *launcher) summary() {
	if l.ending.orphaned {
		return
	}
	if l.ending.bereaved > 0 {
		l.output.say("%s ended after the loss of %s", count(l.ending.bereaved, "rank", "ranks"), listed(l.verdict.Culprits()))
	}
	if l.ending.stopped > 0 {
		l.output.say("stopped %s", count(l.ending.stopped, "other rank", "other ranks"))
	}
}

const (
	// linger is how long the output is read after all processes are gone: one
	// that got away may hold a pipe open.
	linger = 100 * time.Millisecond

	// lastPatience is how long the reader of our output has when the job's end
	// must not wait for him.
	lastPatience = time.Second
)

// drain waits for the output to be read, and for what is said meanwhile.
func (l *launcher) drain() {
	l.await(l.output.finish(linger))
	select {
	case err := <-l.output.failure:
		l.outputFailed(err)
	default:
	}
	l.output.hideBar()
	l.await(l.output.flush())
}

// await returns when done is closed. A reader of our output takes his time as
// long as nobody asks for an end.
func (l *launcher) await(done <-chan struct{}) {
	for {
		if l.ending.enough == nil && (l.ending.hopeless || l.ending.orphaned) {
			enough := make(chan struct{})
			time.AfterFunc(lastPatience, func() { close(enough) })
			l.ending.enough = enough
		}
		select {
		case <-done:
			return
		case <-l.ending.enough:
			return
		case o, ok := <-l.orders:
			if !ok {
				l.orders, l.ending.orphaned = nil, true
				break
			}
			l.interrupted(o.Signal)
		case s := <-l.signals:
			l.interrupted(s.(syscall.Signal))
		case err := <-l.output.failure:
			l.outputFailed(err)
		case <-l.timeout:
			l.timedOut()
		case <-l.ending.kill:
			l.ending.hopeless = l.ending.hopeless || l.ending.terminated
		}
	}
}

// interrupted takes a signal when no rank is left to pass it on to.
func (l *launcher) interrupted(s syscall.Signal) {
	switch s {
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT:
		l.verdict.Settle(statusSignal + int(s))
		l.ending.hopeless = true
	}
}
