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
)

func (k kind) String() string {
	return [...]string{"kill", "hunt", "halt", "stop", "slow", "garbage"}[k]
}

// event is one thing that happens in a job.
type event struct {
	at   int // when so many items have been begun
	kind kind
	rank int
	d    time.Duration // of a stop or a slow time
	seed uint64        // of the garbage
}

// maxStop is the longest stop. Nobody may be lost for it.
const maxStop = 800 * time.Millisecond

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
		}
		add(k, 1+mortals[0], 0)
		mortals = mortals[1:]
	}
	// Whoever is to be lost since it stands still must not be continued before.
	standing := map[int]bool{}
	for _, e := range plan {
		standing[e.rank] = e.kind == halt
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
		b.WriteByte('\n')
	}
	return b.String()
}
