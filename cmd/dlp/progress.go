package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/launch"
	"github.com/dlp-mpi/dlp-go/internal/progress"
)

const (
	barEvery  = 200 * time.Millisecond // on a terminal
	lineEvery = 30 * time.Second       // in a log
)

// showProgress shows how far the map is until the returned function is called,
// if that is wanted.
func (m *mapping) showProgress() (stop func()) {
	if !m.progress {
		return func() {}
	}
	p := m.collector.printer
	p.term = launch.IsTerminal(os.Stderr) && !launch.IsDumb(os.Getenv("TERM"))
	every := lineEvery
	if p.term {
		every = barEvery
	}
	over := make(chan struct{})
	var shower sync.WaitGroup
	shower.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				m.collector.busy.set(0, m.busySlots())
				if p.term {
					p.setBar(m.collector.progressText(launch.TerminalWidth()))
				} else {
					p.say("%s", m.collector.progressText(0))
				}
			case <-over:
				p.setBar("")
				return
			}
		}
	})
	return func() { close(over); shower.Wait() }
}

// progressText is how far the map is, as a bar of at most width columns, or a
// line if width is 0.
func (c *collector) progressText(width int) string {
	done, failures, begin := c.tally.counts()
	given, all, _ := c.feeder.state()
	nodes := c.busy.nodes()
	s := progress.State{Done: done + failures, Took: time.Since(begin), Unit: "slot"}
	for _, n := range nodes {
		s.Busy += n.work
	}
	if all {
		s.Total = given
	}
	text := s.Text()
	if width > 0 {
		text = s.Bar()
	}
	text += busyText(nodes)
	if failures > 0 {
		text += fmt.Sprintf(", %d failed", failures)
	}
	if runes := []rune(text); width > 0 && len(runes) >= width {
		text = string(runes[:width-1])
	}
	return text
}
