package deadline

import "time"

// clock adds up how long tests have worked.
type clock struct {
	last  time.Time              // when it was looked at
	most  time.Duration          // that counts between two looks
	share func() float64         // of the time that counts, as the machine is busy otherwise
	spent map[int]time.Duration  // by goroutine
	until func(id int) time.Time // what a test has asked for
}

// look counts the time since the last look for the tests that work now, and
// returns those that have worked longer than they may. When the next look was
// far too late, the tests stood still with it, as on a machine that was suspended.
func (c *clock) look(tests []test, limit time.Duration, now time.Time) (late []test) {
	passed := time.Duration(float64(min(now.Sub(c.last), c.most)) * c.share())
	c.last = now
	spent := make(map[int]time.Duration, len(tests))
	for _, t := range tests {
		spent[t.id] = c.spent[t.id]
		if t.waits {
			continue
		}
		spent[t.id] += passed
		if spent[t.id] > limit && now.After(c.until(t.id)) {
			late = append(late, t)
		}
	}
	c.spent = spent
	return late
}
