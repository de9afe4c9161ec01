package main

import (
	"sync"
	"time"
)

// stopReserve is what the end of the program takes beyond the grace of items.
const stopReserve = 15 * time.Second

// halt is the wish that nothing more is started.
type halt struct {
	asked    chan struct{} // closed when there is one
	stopping <-chan struct{}
	kill     func() // ends what runs, on all ranks

	once, killed sync.Once
	over         chan struct{}
	watch        sync.WaitGroup
	own          bool // this rank has asked, not a signal
	mu           sync.Mutex
}

// newHalt makes the wish of a signal one.
func newHalt(stopping <-chan struct{}) *halt {
	h := &halt{asked: make(chan struct{}), stopping: stopping, over: make(chan struct{})}
	h.watch.Go(func() {
		select {
		case <-stopping:
			h.close()
		case <-h.over:
		}
	})
	return h
}

func (h *halt) close() { h.once.Do(func() { close(h.asked) }) }

// ask wishes it because of what has become of items.
func (h *halt) ask() {
	h.mu.Lock()
	h.own = true
	h.mu.Unlock()
	h.close()
}

// killOnce ends what runs.
func (h *halt) killOnce() { h.killed.Do(h.kill) }

// byUser says whether a signal, or the end of the job, has asked.
func (h *halt) byUser() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.own
}

func (h *halt) end() {
	close(h.over)
	h.watch.Wait()
}
