package main

import (
	"io"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/source"
)

// feeder gives the loop its items, on rank 0, and remembers those that are not
// finished.
type feeder struct {
	items iter.Seq2[source.Item, error]
	close io.Closer
	delay time.Duration
	stop  <-chan struct{} // closed when no more is wanted

	mu      sync.Mutex
	pending map[int]task
	given   int
	all     bool  // there are no more
	err     error // of the source
}

func newFeeder(o *options, stop <-chan struct{}) (*feeder, error) {
	items, closer, err := o.source.Open(os.Stdin)
	if err != nil {
		return nil, err
	}
	return &feeder{items: items, close: closer, delay: o.delay, stop: stop, pending: make(map[int]task)}, nil
}

// tasks is the sequence for the loop, which runs in a goroutine of the loop's.
func (f *feeder) tasks(yield func(task) bool) {
	for item, err := range f.items {
		if err != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.err = err
			return
		}
		if !yield(f.give(item)) || !f.pause() {
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = true
}

// count is how many items there were, and whether those are all.
func (f *feeder) count() (given int, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.given, f.all
}

func (f *feeder) give(item source.Item) task {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := task{f.given, item.Columns}
	f.pending[f.given] = t
	f.given++
	return t
}

// pause waits between two items, and returns false if no more is wanted.
func (f *feeder) pause() bool {
	if f.delay == 0 {
		return true
	}
	timer := time.NewTimer(f.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.stop:
		return false
	}
}

// finished returns the item of an index, and forgets it.
func (f *feeder) finished(index int) task {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.pending[index]
	delete(f.pending, index)
	return t
}

// state is how many items there were, and why there are no more if that is an
// error.
func (f *feeder) state() (given int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.given, f.err
}
