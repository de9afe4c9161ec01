package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// A log gets a line every 30 s, with the slots that work on each node.
func TestProgressInALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := newPrinter()
		p.to[1] = &log
		b := &busy{hosts: []string{"c1", "c1", "c2"}, slots: []int{2, 2, 4}, work: make([]int, 3)}
		c := &collector{printer: p, feeder: &feeder{read: 40, all: true}, busy: b, tally: tally{begin: time.Now()}}
		m := &mapping{options: &options{progress: true}, collector: c, busySlots: func() int { return 2 }}
		b.set(1, 1)
		b.set(2, 4)
		stop := m.showProgress()
		time.Sleep(31 * time.Second)
		c.tally.mu.Lock()
		c.tally.done, c.tally.failures = 20, 1
		c.tally.mu.Unlock()
		b.lose([]int{1})
		time.Sleep(30 * time.Second)
		stop()
		assert.Equal(t, []string{
			"dlp map: 0/40 (0%), 0/s, 7 slots busy (c1 3/4, c2 4/4)",
			"dlp map: 21/40 (52%), 0.35/s, 54.3s left, 6 slots busy (c1 2/2, c2 4/4), 1 failed",
		}, strings.Split(strings.TrimSpace(log.String()), "\n"))
	})
}

func TestBusyOfManyNodes(t *testing.T) {
	var nodes []node
	for i := range 100 {
		n := node{host: "c" + string(rune('a'+i%26)), work: 4, slots: 4}
		if i%50 == 7 {
			n.work = 1
		}
		nodes = append(nodes, n)
	}
	assert.Equal(t, " (ch 1/4, cf 1/4, 98 full)", busyText(nodes))
	nodes = nil
	for i := range 100 {
		nodes = append(nodes, node{"c" + string(rune('a'+i%26)), i % 3, 4})
	}
	assert.Equal(t, " (ca 0/4, cb 1/4, cc 2/4, cd 0/4, ce 1/4, cf 2/4, cg 0/4, ch 1/4, 92 more not full)", busyText(nodes))
	assert.Empty(t, busyText([]node{{"c1", 1, 2}}))
}
