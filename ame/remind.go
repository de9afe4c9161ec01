package ame

import (
	"fmt"
	"time"
)

// What lasts is told to the user after remindFirst, and again after ever longer
// times, up to remindLongest.
const (
	remindFirst   = 10 * time.Second
	remindLongest = 10 * time.Minute
)

// remind tells the user what a wait is for, again and again, until done is
// closed or the job is over. An empty text is not told.
func (j *job) remind(done <-chan struct{}, text func() string) {
	if j.stuck == nil {
		return
	}
	after := remindFirst
	timer := time.NewTimer(after)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if what := text(); what != "" {
				j.stuck(what)
			}
			if j.oneProcess { // see Config
				return
			}
			after = min(2*after, remindLongest)
			timer.Reset(after)
		case <-done:
			return
		case <-j.hasFailed:
			return
		case <-j.life.Done():
			return
		}
	}
}

// named lists ranks, a few with their nodes.
func (j *job) named(ranks []int) string {
	if len(ranks) != 1 {
		return rankList(ranks)
	}
	return fmt.Sprintf("rank %d on %s", ranks[0], j.mesh.host(ranks[0]))
}
