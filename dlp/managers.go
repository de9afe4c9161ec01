package dlp

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
)

// loops is what the Comms of one rank know about its loops together.
type loops struct {
	open     atomic.Int32   // that this rank is in
	managers sync.WaitGroup // of loops that rank 0 left early

	askEnd sync.Once
	end    time.Time // of the job, as jobEnd has found

	epoch    time.Time // when the clock of this rank was 0
	timeline string    // where loops are recorded that do not say it; empty: nowhere

	mu      sync.Mutex
	servers []*loop.Server // of the managers that still run
}

// serve runs the manager of a loop on rank 0, and then over.
func (l *loops) serve(s *loop.Server, over func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.servers = append(l.servers, s)
	l.managers.Go(func() {
		s.Run()
		over()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.servers = slices.DeleteFunc(l.servers, func(other *loop.Server) bool { return other == s })
	})
}

// failedWait is how long Close waits for ranks to come out of a loop that has
// failed. What they do there is of no use any more.
const failedWait = 5 * time.Second

// wait waits until no rank is in a loop that rank 0 has left. If such a loop
// has failed it gives up after failedWait: it aborts the job, with an error that
// says who is left in the loop, and returns that.
func (l *loops) wait(abort func(error)) error {
	over := make(chan struct{})
	go func() {
		l.managers.Wait()
		close(over)
	}()
	var late <-chan time.Time
	if len(l.failed()) > 0 {
		timer := time.NewTimer(failedWait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-over:
		return nil
	case <-late:
	}
	var left []string
	for _, s := range l.failed() {
		left = append(left, s.Left())
	}
	err := fmt.Errorf("%v after a loop has failed, these were still in it: %s", failedWait, strings.Join(left, "; "))
	abort(err)
	<-over
	return err
}

// failed are the loops that have failed and whose managers still run.
func (l *loops) failed() []*loop.Server {
	l.mu.Lock()
	defer l.mu.Unlock()
	var failed []*loop.Server
	for _, s := range l.servers {
		if s.Failed() {
			failed = append(failed, s)
		}
	}
	return failed
}
