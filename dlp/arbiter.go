package dlp

import "slices"

// arbiter is what a Counter and a Mutex are on rank 0: plain state.
type arbiter struct {
	count   int64
	held    bool
	holder  claimant
	waiting []claimant // for the mutex, in the order in which they came
}

// claimant is a call of a rank.
type claimant struct {
	rank int
	id   uint32 // of the call on its rank
}

// verdict is the answer to a call.
type verdict struct {
	claimant
	value int64
}

// Values of verdicts about a mutex.
const (
	granted   = 0
	withdrawn = 1
)

func (a *arbiter) add(who claimant, n int64) []verdict {
	before := a.count
	a.count += n
	return []verdict{{who, before}}
}

func (a *arbiter) lock(who claimant) []verdict {
	if a.held {
		a.waiting = append(a.waiting, who)
		return nil
	}
	a.held, a.holder = true, who
	return []verdict{{who, granted}}
}

// release ends what a call of lock has begun: it has the mutex no more, or does
// not wait for it any more. One that waits is told so.
func (a *arbiter) release(who claimant) []verdict {
	if a.held && a.holder == who {
		return a.pass()
	}
	if i := slices.Index(a.waiting, who); i >= 0 {
		a.waiting = slices.Delete(a.waiting, i, i+1)
		return []verdict{{who, withdrawn}}
	}
	return nil
}

// pass gives the mutex to who has waited longest.
func (a *arbiter) pass() []verdict {
	a.held = false
	if len(a.waiting) == 0 {
		return nil
	}
	next := a.waiting[0]
	a.waiting = a.waiting[1:]
	return a.lock(next)
}

// gone forgets a rank.
func (a *arbiter) gone(rank int) []verdict {
	a.waiting = slices.DeleteFunc(a.waiting, func(c claimant) bool { return c.rank == rank })
	if a.held && a.holder.rank == rank {
		return a.pass()
	}
	return nil
}
