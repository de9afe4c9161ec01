package main

import (
	"errors"
	"syscall"
)

// exit is the end of a child.
type exit struct {
	pid    int
	status syscall.WaitStatus
}

// reaper waits for all children, also for those that ame-launcher adopted. It
// runs while ranks are started, so that their order of ending is kept.
type reaper struct {
	exits   chan exit     // closed when there are no children and no more will be started
	started chan struct{} // a child was started
	all     chan struct{} // closed: no more will be started
}

func newReaper(children int) *reaper {
	r := &reaper{
		exits:   make(chan exit, children),
		started: make(chan struct{}, 1),
		all:     make(chan struct{}),
	}
	go r.run()
	return r
}

// childStarted is called after each start, allStarted after the last.
func (r *reaper) childStarted() {
	select {
	case r.started <- struct{}{}:
	default:
	}
}

func (r *reaper) allStarted() { close(r.all) }

func (r *reaper) run() {
	defer close(r.exits)
	last := false // no more will be started
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == nil:
			r.exits <- exit{pid, status}
		case errors.Is(err, syscall.EINTR):
		case last:
			return
		default: // no children now
			select {
			case <-r.started:
			case <-r.all:
				last = true
			}
		}
	}
}
