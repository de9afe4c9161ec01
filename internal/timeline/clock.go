package timeline

import (
	"cmp"
	"slices"
	"time"
)

// exchangesOf is for how long one exchange counts.
const exchangesOf = 10 * time.Second

// difference is by how much a rank's clock is behind rank 0's, at a time of its
// own.
type difference struct {
	at, behind int64
	width      int64 // between the bounds
}

// clock has differences of one rank, by time.
type clock []difference

// differences finds how a rank's clock goes, from the stamps of what it has sent.
func differences(rank int, chunks []chunk) clock {
	if rank == 0 || len(chunks) == 0 {
		return nil
	}
	var all clock
	least := difference{behind: chunks[0].received - chunks[0].sent}
	for i := range chunks {
		c := &chunks[i]
		most := c.received - c.sent
		least.behind = min(least.behind, most)
		if !c.paired {
			continue
		}
		d := difference{at: c.sent, behind: most - (most-(c.sentTo-c.got))/2}
		d.width = max(0, most-(c.sentTo-c.got))
		if n := len(all); n > 0 && all[n-1].at/int64(exchangesOf) == d.at/int64(exchangesOf) {
			if d.width < all[n-1].width {
				all[n-1] = d
			}
			continue
		}
		all = append(all, d)
	}
	if len(all) == 0 {
		return clock{least} // late by the time of a message
	}
	slices.SortFunc(all, func(a, b difference) int { return cmp.Compare(a.at, b.at) })
	return slices.CompactFunc(all, func(a, b difference) bool { return a.at == b.at })
}

// at returns the difference at a time.
func (c clock) at(t int64) int64 {
	if len(c) == 0 {
		return 0
	}
	i, _ := slices.BinarySearchFunc(c, t, func(d difference, t int64) int { return cmp.Compare(d.at, t) })
	switch {
	case i == 0:
		return c[0].behind
	case i == len(c):
		return c[i-1].behind
	}
	a, b := c[i-1], c[i]
	return a.behind + int64(float64(b.behind-a.behind)*float64(t-a.at)/float64(b.at-a.at))
}
