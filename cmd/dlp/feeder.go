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
	wait  bool            // items may come back
	stop  <-chan struct{} // closed when no more is wanted

	mu      sync.Mutex
	changed chan struct{} // has a value when an item is finished or has come back
	pending map[int]task  // by their index in the loop
	back    []task
	handed  int   // to the loop
	read    int   // of the source
	all     bool  // there are no more
	err     error // of the source
}

// newFeeder opens the source. With wait, items that have been given may come
// back as long as any is not finished.
func newFeeder(o *options, wait bool, stop <-chan struct{}) (*feeder, error) {
	items, closer, err := o.source.Open(os.Stdin)
	if err != nil {
		return nil, err
	}
	return &feeder{
		items: items, close: closer, delay: o.delay, wait: wait, stop: stop,
		changed: make(chan struct{}, 1), pending: make(map[int]task),
	}, nil
}

// tasks is the sequence for the loop, which runs in a goroutine of the loop's.
func (f *feeder) tasks(yield func(task) bool) {
	for item, err := range f.items {
		if err != nil {
			f.mu.Lock()
			f.err = err
			f.mu.Unlock()
			break
		}
		if !f.again(yield) || !yield(f.give(f.next(item))) || !f.pause() {
			return
		}
	}
	f.mu.Lock()
	f.all = true
	f.mu.Unlock()
	for f.wait && f.again(yield) && f.unfinished() {
		select {
		case <-f.changed:
		case <-f.stop:
			return
		}
	}
}

// next numbers an item of the source.
func (f *feeder) next(item source.Item) task {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read++
	return task{f.read - 1, item.Columns}
}

// give notes that an item goes to the loop.
func (f *feeder) give(t task) task {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending[f.handed] = t
	f.handed++
	return t
}

// again yields what has come back.
func (f *feeder) again(yield func(task) bool) bool {
	for {
		f.mu.Lock()
		back := f.back
		f.back = nil
		f.mu.Unlock()
		if len(back) == 0 {
			return true
		}
		for _, t := range back {
			if !yield(f.give(t)) {
				return false
			}
		}
	}
}

func (f *feeder) unfinished() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pending)+len(f.back) > 0
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

// task returns the item that has an index in the loop.
func (f *feeder) task(index int) task {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pending[index]
}

// finished forgets an item.
func (f *feeder) finished(index int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.pending, index)
	f.change()
}

// giveBack has an item given once more. At no time in between it counts as
// finished: the sequence would end without it.
func (f *feeder) giveBack(index int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.back = append(f.back, f.pending[index])
	delete(f.pending, index)
	f.change()
}

func (f *feeder) change() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// state is how many items there were, whether those are all, and the error of
// the source.
func (f *feeder) state() (given int, all bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read, f.all, f.err
}
