package ame

import (
	"fmt"
	"time"
)

// watchEvery is how often each link is looked at.
const watchEvery = 5 * time.Second

// watch finds the ranks that have vanished, until the job is over.
func (j *job) watch() {
	known := map[int]bool{} // ranks that have vanished
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
			if !known[l.peer()] && l.vanished() {
				known[l.peer()] = true
				j.broke(l.peer(), fmt.Sprintf("no answer for %v", silence), vanishedTime)
			}
		}
	}
}
