package ame

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// observer looks at the links of a rank as a job does, in time of its own.
type observer struct {
	*pulse
	now time.Time
}

func observe(limit time.Duration, ranks ...int) *observer {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	o := &observer{newPulse(limit, start), start}
	for _, rank := range ranks {
		o.begin(rank)
	}
	return o
}

// after looks after some time and says whether a silent rank is late.
func (o *observer) after(d time.Duration, rank int) bool {
	o.now = o.now.Add(d)
	o.look(o.now)
	return o.hear(rank, false)
}

// until looks every so often, and returns after what time a rank is late.
func (o *observer) until(every time.Duration, rank int) time.Duration {
	begin := o.now
	for !o.after(every, rank) {
		if o.now.Sub(begin) > 1000*o.limit {
			return -1
		}
	}
	return o.now.Sub(begin)
}

func TestSilentRankIsLate(t *testing.T) {
	o := observe(10*time.Second, 1, 2)
	assert.Equal(t, 10*time.Second, o.until(time.Second, 1))
	assert.False(t, o.after(time.Hour, 1), "said once")
	assert.False(t, o.hear(2, true), "who has spoken")
	assert.False(t, o.hear(3, false), "who is not watched")
	assert.False(t, o.hear(3, true))
	assert.Equal(t, 10*time.Second, o.until(time.Second, 3), "watched from the first sign on")
}

// A sign begins the time anew.
func TestSignOfLife(t *testing.T) {
	o := observe(10*time.Second, 1)
	for range 5 {
		for range 9 {
			assert.False(t, o.after(time.Second, 1))
		}
		assert.False(t, o.hear(1, true))
	}
	assert.Equal(t, 10*time.Second, o.until(time.Second, 1))
}

// A process that was stopped blames nobody for its own absence, and gives all
// others time anew, and more of it for a while.
func TestObserverWasStopped(t *testing.T) {
	o := observe(10*time.Second, 1)
	for range 9 {
		assert.False(t, o.after(time.Second, 1))
	}
	assert.Zero(t, o.absence(o.now))
	assert.Equal(t, time.Hour, o.absence(o.now.Add(time.Hour)), "before it has looked")
	assert.False(t, o.after(time.Hour, 1))
	assert.Equal(t, time.Hour, o.absence(o.now.Add(time.Second)))
	assert.Equal(t, 10*time.Second, o.until(time.Second, 1))
	assert.Zero(t, o.absence(o.now), "long ago")
	assert.False(t, o.hear(1, true))

	o = observe(10*time.Second, 1)
	o.after(time.Hour, 1)
	for range 5 {
		o.after(time.Second, 1)
	}
	assert.False(t, o.after(6*time.Second, 1), "again")
	assert.Equal(t, 20*time.Second, o.until(time.Second, 1), "more patience, and less again")
}

// A process that is starved of CPU counts only the time in which it has looked,
// and has more patience, but not for ever.
func TestObserverIsStarved(t *testing.T) {
	o := observe(10*time.Second, 1)
	assert.Equal(t, 4*10*2500*time.Millisecond, o.until(2500*time.Millisecond, 1))
	for range 100 {
		o.now = o.now.Add(time.Second)
		o.look(o.now)
		o.hear(1, true)
	}
	assert.Equal(t, 10*time.Second, o.until(time.Second, 1), "on time again")
}

// A link that is idle carries a sign often enough, and one with data none. A rank
// that comes late does not wait.
func TestSignsAreDue(t *testing.T) {
	o := observe(10*time.Second, 1)
	var shown []int
	wrote := true
	for look := range 20 {
		o.after(time.Second, 1)
		due := o.due(1, !wrote)
		if wrote = due || look == 10; due {
			shown = append(shown, look)
		}
	}
	assert.Equal(t, []int{3, 7, 14, 18}, shown)
	for range 20 {
		o.after(time.Second, 1)
		assert.False(t, o.due(2, false))
	}
	o.after(3*time.Second, 1)
	assert.True(t, o.due(2, true))
	o.after(time.Second, 1)
	assert.False(t, o.due(2, false))
	o.after(time.Second, 1)
	assert.True(t, o.due(2, true))
}
