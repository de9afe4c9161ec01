package ame

import (
	"slices"
	"strings"
	"time"
)

// stall finds out, on rank 0, whether all ranks wait for each other. It is plain
// state: it is given how they stand, round by round.
//
// In two rounds nothing has changed, no data is on its way, and no process can do
// anything else: then nothing will ever change. Where a process can, or that is
// not known, nobody can say so, but who waits where is worth a line.
type stall struct {
	last  map[int]standing // by rank, of the round before; nil: there is none
	since time.Time        // since when nothing has changed
	told  time.Duration    // after which time it was told last
}

// outlook is what a round has shown.
type outlook int

const (
	goesOn outlook = iota // something happens, or may
	again                 // the next round may show that nothing does
	tell                  // nothing has happened for long
	over                  // nothing can happen any more
)

// judge takes the next round.
func (s *stall) judge(round map[int]standing, now time.Time) outlook {
	before := s.last
	s.last = round
	may, sure, same := false, true, before != nil && len(before) == len(round)
	var sent, got uint64
	for rank, r := range round {
		may = may || !r.waits || r.freedom == free
		sure = sure && r.freedom == stuck
		last, known := before[rank]
		same = same && known && last.count == r.count && last.sent == r.sent && last.got == r.got
		sent, got = sent+r.sent, got+r.got
	}
	if may || !same {
		s.since, s.told = now, 0
	}
	switch quiet := now.Sub(s.since); {
	case may:
		return goesOn
	case sure && same && sent == got:
		return over
	case quiet >= max(remindFirst, 2*s.told):
		s.told = quiet
		return tell
	case sure && !same:
		return again
	}
	return goesOn
}

// text says who waits where.
func (s *stall) text(named func(ranks []int) string) string {
	ranks := map[string][]int{}
	for rank, r := range s.last {
		ranks[r.text] = append(ranks[r.text], rank)
	}
	type group struct {
		ranks []int
		text  string
	}
	var groups []group
	for text, of := range ranks {
		slices.Sort(of)
		groups = append(groups, group{of, text})
	}
	slices.SortFunc(groups, func(a, b group) int { return a.ranks[0] - b.ranks[0] })
	var parts []string
	for _, g := range groups {
		verb := " is in "
		if len(g.ranks) > 1 {
			verb = " are in "
		}
		parts = append(parts, named(g.ranks)+verb+g.text)
	}
	return strings.Join(parts, ", ")
}
