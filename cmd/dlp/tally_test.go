package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// What has kept slots idle is said of a map that has ended by itself.
func TestSummary(t *testing.T) {
	y := &tally{begin: time.Now().Add(-10 * time.Second)}
	for i := range 3 {
		y.add(task{Index: i}, &report{Index: i, Took: 4 * time.Second}, 0, "here")
	}
	numbers := `^3 done, 0 failed in 10s: 12s of work, speed-up 1.2, efficiency 30 % \(1.2 of 4 slots busy on average\)`
	assert.Regexp(t, numbers+"; there were fewer items than slots$", y.summary(4, false, false))
	assert.Regexp(t, numbers+"$", y.summary(4, false, true))
	assert.Equal(t, "no item was done: the list is empty", y.summary(4, true, true))
}
