package ame

import (
	"fmt"
	"time"
)

// watchEvery is how often each link is looked at.
const watchEvery = 5 * time.Second

// watch finds the ranks that have vanished, until the job is over.
func (j *job) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-j.life.Done():
			return
		case <-j.hasFailed:
			return
		}
		for _, l := range j.mesh.links() {
			switch {
			case !l.vanished():
			case j.rank == 0 || l.peer() == 0:
				j.lost(l.peer(), fmt.Sprintf("no answer for %v", silence))
			default:
				l.close() // rank 0 knows what has become of the rank
			}
		}
	}
}
