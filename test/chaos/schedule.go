package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	ranks = 12
	items = 20_000

	maxKills = 5
)

// kind is what happens to a rank.
type kind int

const (
	kill    kind = iota // in the next item that it works on
	hunt                // kill, and then the rank that gets the item next
	halt                // stopped until it is given up for lost, and continued
	stop                // stopped for a while, and continued
	slow                // stopped most of the time, for a while
	garbage             // a stranger connects to a port of it
	cut                 // its link to rank 0 is cut: as a kill
	delay               // what goes over that link is late, for a while
)

func (k kind) String() string {
	return [...]string{"kill", "hunt", "halt", "stop", "slow", "garbage", "cut", "delay"}[k]
}

// event is one thing that happens in a job.
type event struct {
	at   int // when so many items have been begun
	kind kind
	rank int
	d    time.Duration // of a stop, a slow time or a delay
	late time.Duration // in a delay, what is forwarded at once
	seed uint64        // of the garbage
}

// maxStop is the longest stop. Nobody may be lost for it.
const maxStop = 800 * time.Millisecond

// maxLate is how late a piece of what goes over a link may be.
const maxLate = 50 * time.Millisecond

// linked says whether the ranks of a job reach rank 0 by links that can be cut and
// delayed.
func linked(job uint64) bool { return job%2 == 1 }

// schedule draws what happens in a job, in the order in which it happens.
func schedule(seed, job uint64) []event {
	random := rand.New(rand.NewPCG(seed, job))
	var plan []event
	add := func(k kind, rank int, d time.Duration) {
		// Not at the very end: there would be nothing left to disturb.
		plan = append(plan, event{at: 1 + random.IntN(items*9/10), kind: k, rank: rank, d: d, seed: random.Uint64()})
	}
	mortals := random.Perm(ranks - 1)
	for left := 1 + random.IntN(maxKills); left > 0; left-- {
		k := kill
		switch n := random.IntN(8); {
		case left >= 2 && n < 2:
			k = hunt // takes two of the kills
			left--
		case n == 2:
			k = halt
		case linked(job) && n < 7:
			k = cut
		}
		add(k, 1+mortals[0], 0)
		mortals = mortals[1:]
	}
	// Whoever is to be lost since it stands still must not be continued before.
	standing := map[int]bool{}
	for _, e := range plan {
		standing[e.rank] = e.kind == halt || e.kind == cut
	}
	any := func() int {
		for {
			if rank := 1 + random.IntN(ranks-1); !standing[rank] {
				return rank
			}
		}
	}
	for range random.IntN(6) {
		add(stop, any(), time.Duration(1+random.Int64N(int64(maxStop))))
	}
	for range random.IntN(3) {
		add(slow, any(), time.Duration(1+random.Int64N(int64(time.Second))))
	}
	for range 1 + random.IntN(6) {
		add(garbage, random.IntN(ranks), 0)
	}
	if linked(job) {
		for range 1 + random.IntN(4) {
			add(delay, 1+random.IntN(ranks-1), time.Duration(1+random.Int64N(int64(time.Second))))
			plan[len(plan)-1].late = time.Duration(1 + random.Int64N(int64(maxLate)))
		}
	}
	slices.SortStableFunc(plan, func(a, b event) int { return a.at - b.at })
	return plan
}

// text shows a schedule, a line for each event.
func text(plan []event) string {
	var b strings.Builder
	for _, e := range plan {
		fmt.Fprintf(&b, "  item %d: %v rank %d", e.at, e.kind, e.rank)
		if e.d > 0 {
			fmt.Fprintf(&b, " for %v", e.d.Round(time.Millisecond))
		}
		if e.late > 0 {
			fmt.Fprintf(&b, " by %v", e.late.Round(time.Millisecond))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
