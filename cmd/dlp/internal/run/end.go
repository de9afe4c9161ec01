package run

import (
	"syscall"
	"time"
)

// ending is how far the end of a process is that was asked to end.
type ending struct {
	asked bool
	kill  time.Time    // when what is left is killed
	heard map[int]bool // strays that were asked to terminate; a second time may mean at once
}

// end asks the process group to terminate and says why; the first reason counts.
func (p *leader) end(why *bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.ending.asked {
		return
	}
	*why = true
	p.ending = ending{asked: true, kill: time.Now().Add(p.grace), heard: make(map[int]bool)}
	syscall.Kill(-p.pid, syscall.SIGTERM)
	syscall.Kill(-p.pid, syscall.SIGCONT) // who is stopped must run to terminate
	p.terminateStrays()
	p.timer = time.AfterFunc(p.grace, func() { p.kill(false) })
}

// kill kills the process and what it has started.
func (p *leader) kill(stop bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.stopped = p.stopped || stop && !p.timedOut
	p.ending.asked, p.ending.kill = true, time.Now()
	p.killAll()
}

func (p *leader) killAll() {
	syscall.Kill(-p.pid, syscall.SIGKILL)
	p.strays(func(pid int) { syscall.Kill(pid, syscall.SIGKILL) })
}

// terminateStrays asks those that have not been asked.
func (p *leader) terminateStrays() {
	p.strays(func(pid int) {
		if !p.ending.heard[pid] {
			p.ending.heard[pid] = true
			syscall.Kill(pid, syscall.SIGTERM)
			syscall.Kill(pid, syscall.SIGCONT)
		}
	})
}

// strays calls found for what the process has started and has left its process
// group, and returns how many those are.
func (p *leader) strays(found func(pid int)) (count int) {
	p.guard.Marked(p.number, func(pid int) {
		if group, err := syscall.Getpgid(pid); err == nil && group != p.pid {
			count++
			found(pid)
		}
	})
	return count
}

// leaderEnded is called when the process has ended, and before its number can be
// another one's. What is left of its group goes too, at once if it was not asked
// to terminate.
func (p *leader) leaderEnded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ending.asked {
		p.over = true
		syscall.Kill(-p.pid, syscall.SIGKILL)
	}
}

const (
	groupPause = 10 * time.Millisecond // between two looks for what has not ended
	killLimit  = 10 * time.Second      // for processes to die of SIGKILL
)

// awaitGroup returns when nothing is left of a process that was asked to end.
func (p *leader) awaitGroup() {
	for !p.gone() {
		time.Sleep(groupPause)
	}
	if p.timer != nil {
		p.timer.Stop()
	}
}

func (p *leader) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return true
	}
	late := time.Since(p.ending.kill)
	p.over = late > killLimit || syscall.Kill(-p.pid, 0) != nil && p.strays(func(int) {}) == 0
	switch {
	case p.over:
	case late >= 0:
		p.killAll() // they have started more meanwhile
	default:
		p.terminateStrays()
	}
	return p.over
}
