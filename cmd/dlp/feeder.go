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
	failed  bool  // an item has, for good
	checked bool  // so what follows a barrier is not done
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
		if item.Barrier != source.NoBarrier && !f.allFinished(yield) || !f.passes(item.Barrier) {
			return
		}
		if !f.again(yield) || !yield(f.give(f.next(item))) || !f.pause() {
			return
		}
	}
	f.mu.Lock()
	f.all = true
	f.mu.Unlock()
	if f.wait {
		f.allFinished(yield)
	}
}

// allFinished waits until all items are finished that were given, and returns
// false if no more is wanted.
func (f *feeder) allFinished(yield func(task) bool) bool {
	for f.again(yield) {
		if !f.unfinished() {
			return true
		}
		select {
		case <-f.changed:
		case <-f.stop:
			return false
		}
	}
	return false
}

// passes says whether an item behind a barrier is to be done.
func (f *feeder) passes(b source.Barrier) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checked = b == source.AfterSuccess && f.failed
	return !f.checked
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

// finished forgets an item, which may have failed.
func (f *feeder) finished(index int, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = f.failed || failed
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

// ended says whether the list has ended at a barrier, since an item had failed.
func (f *feeder) ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.checked
}

// state is how many items there were, whether those are all, and the error of
// the source.
func (f *feeder) state() (given int, all bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read, f.all, f.err
}
