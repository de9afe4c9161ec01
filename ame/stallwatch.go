package ame

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// stalls is what rank 0 knows of ranks that have waited for long.
type stalls struct {
	mu      sync.Mutex
	waiting map[int]bool     // ranks that have said so
	round   map[int]standing // what has come of the round under way; nil: there is none
	changed chan struct{}    // gets a value when there is something new
}

// Rounds follow each other after pauses that double; one that may prove that
// nothing goes on follows at once.
const (
	firstRound  = 200 * time.Millisecond
	lastRound   = 5 * time.Second
	roundLimit  = 2 * time.Second // for all ranks to answer
	confirmTime = 300 * time.Millisecond
)

// entersWait notes a call that has waited for long, until the returned function
// is called, and lets rank 0 know.
func (c *Comm) entersWait(ctx context.Context, p pattern, now *round) (leave func()) {
	j := c.job
	_, timed := ctx.Deadline()
	w := &wait{text: c.waitText(p, now), timed: timed}
	if j.waits.enter(w) {
		if j.rank == 0 {
			j.stalls.hear(0)
		} else {
			h := header{kind: kindStuck, source: uint32(j.rank)}
			j.background(func() { _, _, _ = j.put(context.Background(), h, 0, nil) })
		}
	}
	return func() { j.waits.leave(w) }
}

// waitText says in what a call waits, and where in the program.
func (c *Comm) waitText(p pattern, now *round) string {
	var text string
	switch {
	case now != nil:
		text = now.where.text(now.call)
	default:
		site := here(Call{Name: p.opName() + c.partner(p)})
		text = site.text(call{})
	}
	if c.id != 0 {
		text += fmt.Sprintf(" on communicator %v", c.id)
	}
	return text
}

// partner says which rank of the job a message is to come from or go to.
func (c *Comm) partner(p pattern) string {
	switch {
	case p.source == AnySource:
		return " from any rank"
	case p.kind == kindCredit, p.kind == kindFetched:
		return fmt.Sprintf(" to rank %d", p.source)
	}
	return fmt.Sprintf(" from rank %d", p.source)
}

// sayStanding tells rank 0 how this rank stands.
func (j *job) sayStanding() {
	j.background(func() {
		look := freedomHere
		if j.oneProcess {
			look = func() freedom { return stuck } // rank 0 looks
		}
		s := j.waits.now(look)
		body := s.appendTo(nil)
		h := header{kind: kindStanding, source: uint32(j.rank), length: uint64(len(body))}
		_, _, _ = j.put(context.Background(), h, 0, body)
	})
}

func (s *stalls) hear(rank int) {
	s.mu.Lock()
	if s.waiting == nil {
		s.waiting = map[int]bool{}
	}
	s.waiting[rank] = true
	s.mu.Unlock()
	s.wake()
}

// stands takes what a rank answers in a round.
func (s *stalls) stands(rank int, how standing) {
	s.mu.Lock()
	if !how.waits {
		delete(s.waiting, rank)
	}
	if s.round != nil {
		s.round[rank] = how
	}
	s.mu.Unlock()
	s.wake()
}

func (s *stalls) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// startWatch begins watchStalls on rank 0 if somebody wants to hear of it.
func (j *job) startWatch() {
	if j.stuck != nil {
		j.background(j.watchStalls)
	}
}

// watchStalls looks, on rank 0, whether all ranks wait, until the job is over.
func (j *job) watchStalls() {
	var state stall
	pause := firstRound
	for {
		for !j.allWait() {
			state, pause = stall{}, firstRound
			select {
			case <-j.stalls.changed:
			case <-j.hasFailed:
				return
			case <-j.life.Done():
				return
			}
		}
		round := j.askAll()
		result := goesOn
		if round != nil {
			result = state.judge(round, time.Now())
		} else {
			state = stall{}
		}
		switch result {
		case over:
			j.fail(&failure{reason: reasonMismatch, peer: -1, text: "all ranks wait for each other, none can go on: " + state.text(j.named)})
			return
		case tell:
			j.stuck(fmt.Sprintf("all ranks wait, and nothing has happened for %v: %s", time.Since(state.since).Round(time.Second), state.text(j.named)))
			if j.oneProcess {
				return
			}
		case again:
			pause = confirmTime / 2
		}
		if !j.pauseFor(pause) {
			return
		}
		pause = min(2*pause, lastRound)
	}
}

// pauseFor waits, and returns false if the job is over.
func (j *job) pauseFor(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-j.hasFailed:
	case <-j.life.Done():
	}
	return false
}

// allWait says whether all ranks that are in the job have said that they wait.
func (j *job) allWait() bool {
	j.stalls.mu.Lock()
	defer j.stalls.mu.Unlock()
	for rank := range j.size {
		if !j.stalls.waiting[rank] && !j.isGone(rank) {
			return false
		}
	}
	return true
}

// askAll asks all ranks how they stand, and returns their answers; nil if one
// does not answer.
func (j *job) askAll() map[int]standing {
	j.stalls.mu.Lock()
	j.stalls.round = map[int]standing{}
	j.stalls.mu.Unlock()
	j.stalls.stands(0, j.waits.now(freedomHere))
	asked := 1
	for rank := 1; rank < j.size; rank++ {
		if !j.isGone(rank) {
			asked++
			j.lanes.queue(&frame{header: header{kind: kindProbe, dest: uint32(rank)}})
		}
	}
	limit := time.NewTimer(roundLimit)
	defer limit.Stop()
	for {
		j.stalls.mu.Lock()
		round := j.stalls.round
		if len(round) == asked {
			j.stalls.round = nil
			j.stalls.mu.Unlock()
			return round
		}
		j.stalls.mu.Unlock()
		select {
		case <-j.stalls.changed:
		case <-limit.C:
			return nil
		case <-j.hasFailed:
			return nil
		case <-j.life.Done():
			return nil
		}
	}
}
