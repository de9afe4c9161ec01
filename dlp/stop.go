package dlp

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/ame"
)

// Stopping returns a channel that is closed on all ranks when a signal has
// asked any of them to stop: end soon, save what there is. Only programs run by
// Main catch signals; in others it stays open. A Dup has the same channel.
func (c *Comm) Stopping() <-chan struct{} { return c.stop.asked }

// StopError is why the ctx of a program run by Main has ended.
type StopError struct {
	Signal syscall.Signal // that has asked the job to stop
	After  time.Duration  // since then, if it was not ended by a second one; else 0
}

func (e *StopError) Error() string {
	if e.After > 0 {
		return fmt.Sprintf("asked to stop by a signal (%v) %v ago", e.Signal, e.After)
	}
	return fmt.Sprintf("got a signal (%v)", e.Signal)
}

// ExitCode is the status of a program that ends with it.
func (e *StopError) ExitCode() int { return statusSignal + int(e.Signal) }

// catchSignals takes over the signals that ask a program to stop, but for
// those that it was started to ignore.
func catchSignals() chan os.Signal {
	signals := make(chan os.Signal, 8)
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	return signals
}

// stopWish is whether the job was asked to stop, as this rank knows.
type stopWish struct {
	once   sync.Once
	asked  chan struct{}
	signal atomic.Int32 // that has asked first; set before asked is closed
}

func newStopWish() *stopWish { return &stopWish{asked: make(chan struct{})} }

func (w *stopWish) ask(s syscall.Signal) {
	w.once.Do(func() {
		w.signal.Store(int32(s))
		close(w.asked)
	})
}

// by is the signal that has asked.
func (w *stopWish) by() syscall.Signal { return syscall.Signal(w.signal.Load()) }

// afterFirst cancels when the job is asked to stop, until unhook is called.
func (w *stopWish) afterFirst(cancel context.CancelCauseFunc) (unhook func()) {
	return during(func(over <-chan struct{}) {
		select {
		case <-w.asked:
			cancel(&StopError{Signal: w.by()})
		case <-over:
		}
	})
}

// obey turns signals into the wish and, when that was not enough, ends the
// program's ctx.
func (p *mainRank) obey(wish *stopWish, cancel context.CancelCauseFunc) (end func()) {
	return during(func(over <-chan struct{}) {
		asked := wish.asked
		var grace <-chan time.Time
		for own := 0; ; {
			select {
			case s := <-p.signals:
				if own++; own == 2 {
					cancel(&StopError{Signal: s.(syscall.Signal)})
				}
				wish.ask(s.(syscall.Signal))
			case <-asked:
				asked = nil // once
				timer := time.NewTimer(p.grace)
				defer timer.Stop()
				grace = timer.C
			case <-grace:
				cancel(&StopError{Signal: wish.by(), After: p.grace})
			case <-over:
				return
			}
		}
	})
}

// during runs f in a goroutine until the returned function is called, which
// waits for it.
func during(f func(over <-chan struct{})) (end func()) {
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { f(over) })
	return sync.OnceFunc(func() {
		close(over)
		wg.Wait()
	})
}

// spreadEvery is how often a rank looks whether another one was asked to stop.
// A call that waited for that all the time would keep the program's own calls
// from reading their messages by themselves, which package ame lets them do if
// nobody else waits.
const spreadEvery = 100 * time.Millisecond

// Tags of a sideband.
const (
	tagStop  = 1 // by way of rank 0: the wish to stop; the number of the signal
	tagEnded = 2 // to rank 0: the text of the error that the sender ends with
)

// sideband is what the ranks of a program tell each other beside its work.
type sideband struct {
	comm *ame.Comm // nil if there is only one rank
	end  func()    // of spread
}

// newSideband begins to spread the wish to stop. It is collective.
func newSideband(ctx context.Context, world *Comm) (*sideband, error) {
	if world.Size() == 1 {
		return &sideband{end: func() {}}, nil
	}
	comm, err := world.ame.Dup(ctx)
	if err != nil {
		return nil, err
	}
	return &sideband{comm, during(func(over <-chan struct{}) { spread(comm, world.stop, over) })}, nil
}

// spread makes the wish of one rank that of all.
func spread(comm *ame.Comm, wish *stopWish, over <-chan struct{}) {
	ticker := time.NewTicker(spreadEvery)
	defer ticker.Stop()
	for last := false; !last; {
		select {
		case <-wish.asked:
		case <-ticker.C:
		case <-over: // this rank ends, and others may wait to be told
			last = true
		}
		if s, ok := heard(comm); ok {
			wish.ask(s)
		}
		if wish.by() != 0 {
			passOn(comm, wish.by())
			return
		}
	}
}

// heard looks for the wish of another rank, without waiting.
func heard(comm *ame.Comm) (s syscall.Signal, ok bool) {
	m, ok, err := comm.TryRecv(ame.AnySource, tagStop)
	if err != nil || !ok || len(m.Body) != 1 {
		return 0, false
	}
	return syscall.Signal(m.Body[0]), true
}

// passOn tells rank 0, or as rank 0 all others. What keeps a rank from being
// told also ends its calls.
func passOn(comm *ame.Comm, s syscall.Signal) {
	first, last := 0, 0
	if comm.Rank() == 0 {
		first, last = 1, comm.Size()-1
	}
	for rank := first; rank <= last; rank++ {
		_ = comm.Post(context.Background(), rank, tagStop, ame.Payload{Body: []byte{byte(s)}})
	}
}
