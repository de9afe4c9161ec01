package main

import (
	"os"
	"syscall"
	"time"
)

// await waits until something is so; false: the job is over.
func (j *job) await(so func() bool) bool {
	for !so() {
		select {
		case <-j.over:
			return false
		case <-time.After(look):
		}
	}
	return true
}

// process returns a handle of a rank's process, which stays that of this
// process when it is gone. It is called when the rank is in the map.
func (j *job) process(rank int) *os.Process {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.processes[rank] == nil {
		j.processes[rank], _ = os.FindProcess(int(j.table.Ranks[rank].PID.Load())) // never fails on Unix
	}
	return j.processes[rank]
}

func (j *job) alive(rank int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.outcome.died(rank)
}

// kill kills a rank while it works on an item, and notes which that was.
func (j *job) kill(rank int) (item int, ok bool) {
	if !j.await(func() bool { _, ok := j.table.at(rank); return ok }) {
		return 0, false
	}
	p := j.process(rank)
	if p.Kill() != nil {
		return 0, false
	}
	// It may do a little more before it dies.
	if !j.await(func() bool { return p.Signal(syscall.Signal(0)) != nil }) {
		return 0, false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	item, ok = j.table.at(rank)
	j.outcome.dead = append(j.outcome.dead, death{rank, item})
	return item, ok
}

// halt stops a rank in an item until others give it up for lost, as a kill. lose is
// called when it stands still, and may see to it that they do.
func (j *job) halt(rank int, lose func()) {
	p := j.process(rank)
	if !j.await(func() bool { _, ok := j.table.at(rank); return ok }) || p.Signal(syscall.SIGSTOP) != nil {
		return
	}
	item, ok := j.table.at(rank)
	if !ok { // it has just come to its end
		_ = p.Signal(syscall.SIGCONT)
		return
	}
	j.mu.Lock()
	j.outcome.dead = append(j.outcome.dead, death{rank, item})
	j.mu.Unlock()
	before := j.table.Began[item].Load()
	lose()
	j.aside.Go(func() {
		// Whoever stands still before its time is more patient with others. An
		// item that has failed now goes to nobody.
		end := time.Now().Add(5 * heartbeat)
		j.await(func() bool { return j.table.Began[item].Load() != before || time.Now().After(end) })
		_ = p.Signal(syscall.SIGCONT)
	})
}

// hunt kills a rank in a long item, and then the rank that has it next.
func (j *job) hunt(rank int) {
	long := func() bool {
		item, ok := j.table.at(rank)
		return ok && pause(item) > time.Millisecond
	}
	if !j.await(long) {
		return
	}
	item, ok := j.kill(rank)
	if !ok {
		return
	}
	next := rank
	j.await(func() bool {
		r, ok := j.table.with(item)
		if ok && r != rank {
			next = r
		}
		return next != rank || j.table.Ended[item].Load() != 0
	})
	if next != rank {
		j.kill(next)
	}
}

func (j *job) stop(rank int, d time.Duration) {
	p := j.process(rank)
	if p.Signal(syscall.SIGSTOP) == nil {
		time.Sleep(d)
		_ = p.Signal(syscall.SIGCONT) // it may have been killed
	}
}

// slow lets a rank run for a tenth of the time.
func (j *job) slow(rank int, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		j.stop(rank, 45*time.Millisecond)
		time.Sleep(5 * time.Millisecond)
	}
}
