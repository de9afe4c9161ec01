package ame

import (
	"sync"
	"time"
)

// pulse is what a rank knows of the signs of life of those at the other ends of
// its links. It does no I/O and has no clock: it is told of each look at the
// links, and decides who is late and who is to be shown a sign.
//
// Only time counts in which this rank has looked. A process that was stopped or
// starved cannot tell whether others were silent meanwhile: it begins anew. One
// that often comes late to look has more patience, up to maxStrain times more,
// until it has been on time again for a while.
type pulse struct {
	limit time.Duration // how long a rank may be silent

	mu      sync.Mutex
	last    time.Time             // of the last look
	gap     time.Duration         // since the look before
	step    time.Duration         // how much of it counts against others
	strain  int                   // how often, lately, this rank has come late
	calm    time.Duration         // since the last change of strain
	away    time.Duration         // how long this rank has been away last
	back    time.Time             // and when that ended
	silence map[int]time.Duration // by rank: how long nothing has come, as far as this rank can tell
	quiet   map[int]time.Duration // by rank: for how long nothing has gone to it
}

const (
	// looks is how many there are within the limit.
	looks = 10

	// quietLooks is after how many looks an idle link carries a sign of life. So
	// there is one at least every four tenths of the limit. A rank that comes
	// late shows one in each look: it does not know when it comes to the next.
	quietLooks = 3

	// maxStrain bounds the patience of a rank that comes late.
	maxStrain = 3
)

func newPulse(limit time.Duration, now time.Time) *pulse {
	return &pulse{limit: limit, last: now, silence: map[int]time.Duration{}, quiet: map[int]time.Duration{}}
}

// every is the time between two looks.
func (p *pulse) every() time.Duration { return p.limit / looks }

// begin watches a rank from now on. Others are watched from their first sign on.
func (p *pulse) begin(rank int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silence[rank] = 0
}

// look begins a look at the links.
func (p *pulse) look(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gap := now.Sub(p.last)
	p.last, p.gap = now, gap
	switch {
	case gap >= p.limit/2:
		p.away, p.back = gap, now
		p.step = 0
		for rank := range p.silence {
			p.silence[rank] = 0
		}
		p.strained()
	case gap >= 2*p.every():
		p.step = p.every()
		p.strained()
	default:
		p.step = gap
		if p.calm += gap; p.calm >= p.limit && p.strain > 0 {
			p.strain--
			p.calm = 0
		}
	}
}

func (p *pulse) strained() {
	p.strain = min(p.strain+1, maxStrain)
	p.calm = 0
}

// hear is told in each look whether something has come from a rank since the
// last one, and returns whether the rank has been silent for too long. It says
// so once, and watches the rank again from its next sign on.
func (p *pulse) hear(rank int, sign bool) (late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	silence, watched := p.silence[rank]
	switch {
	case sign:
		p.silence[rank] = 0
		return false
	case !watched:
		return false
	}
	silence += p.step
	p.silence[rank] = silence
	if late = silence >= p.limit*time.Duration(1+p.strain); late {
		delete(p.silence, rank)
	}
	return late
}

// due is told in each look whether nothing has gone to a rank since the last
// one, and returns whether it is to be shown a sign of life.
func (p *pulse) due(rank int, quiet bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !quiet {
		p.quiet[rank] = 0
		return false
	}
	p.quiet[rank] += p.gap
	return p.strain > 0 || p.quiet[rank] > (quietLooks-1)*p.every()+p.every()/2
}

// absence returns for how long this rank itself stood still, if that was just
// now and others may have missed it; else 0.
func (p *pulse) absence(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if gap := now.Sub(p.last); gap >= p.limit/2 {
		return gap
	}
	if p.away > 0 && now.Sub(p.back) < p.limit {
		return p.away
	}
	return 0
}
