package ame

import (
	"runtime"
	"time"
)

// lookout is how one party waits for another one to change memory that both
// have: it looks, lets others run, and looks again, before it falls asleep in a
// way of its own. To be woken costs both sides some microseconds, and all
// other processes of the node nothing; to look costs the waiting side a
// processor, which it offers to all others between two looks.
type lookout struct {
	polls   int    // looks before it lets others run
	yield   func() // lets others run
	unlucky bool   // it has looked in vain the last time
}

// A lookout takes longLook, which is long enough for a party that has a
// processor or is about to get one, or shortLook after it has looked in vain: so
// a party that often waits for long uses no processor for it.
const (
	shortLook = 50 * time.Microsecond
	longLook  = 200 * time.Microsecond
	maxYields = 5000 // where the clock stands still
)

// How often a lookout looks first: for long where all ranks of this node have a
// core of their own.
const (
	patientPolls = 1000
	hastyPolls   = 30
)

// processLookout is for a node on which so many ranks run, each a process.
func processLookout(ranks int) lookout {
	if ranks > runtime.NumCPU() {
		return lookout{polls: hastyPolls, yield: yieldCPU}
	}
	return lookout{polls: patientPolls, yield: yieldCPU}
}

// look waits until ready says so, for a while and until end at the most, if that
// is not zero. It returns what ready said last.
func (l *lookout) look(ready func() bool, end time.Time) bool {
	for range l.polls {
		if ready() {
			return true
		}
	}
	until := time.Now().Add(longLook)
	if l.unlucky {
		until = until.Add(shortLook - longLook)
	}
	if !end.IsZero() && end.Before(until) {
		until = end
	}
	for n := range maxYields {
		l.yield()
		if ready() {
			l.unlucky = false
			return true
		}
		// A look at the clock costs as much as some at the memory.
		if n%8 == 0 && !time.Now().Before(until) {
			break
		}
	}
	l.unlucky = true
	return false
}
