package deadline

import "time"

// clock adds up how long tests have worked.
type clock struct {
	last  time.Time              // when it was looked at
	spent map[int]time.Duration  // by goroutine
	until func(id int) time.Time // what a test has asked for
}

// look counts the time since the last look for the tests that work now, and
// returns those that have worked longer than they may.
func (c *clock) look(tests []test, limit time.Duration, now time.Time) (late []test) {
	passed := now.Sub(c.last)
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
