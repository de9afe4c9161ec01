package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/run"
	"github.com/dlp-mpi/dlp-go/internal/launch"
)

// cannotRun says whether the program of the command is not to be had on this
// node, whatever the item is.
func (o *options) cannotRun(result *run.Result) bool {
	var with *launch.StatusError
	return o.template.FixedProgram() && errors.As(result.Err, &with) && !errors.Is(result.Err, syscall.E2BIG)
}

// maxMissing is how often the program may be missing on a rank before that is
// left out.
const maxMissing = 3

// usable is what rank 0 knows of the ranks that have not got the program.
type usable struct {
	say     func(format string, args ...any)
	size    int
	good    map[int]bool // have run it
	missing map[int]int  // how often they have not
}

func newUsable(size int, say func(string, ...any)) *usable {
	return &usable{say: say, size: size, good: make(map[int]bool), missing: make(map[int]int)}
}

// judge says whether an item is to be done again, since its rank has not got the
// program and others may. The error is that no rank has it.
func (u *usable) judge(r *report, rank int, host string, lost []int) (again bool, err error) {
	if !r.CannotRun {
		u.good[rank] = true
		return false, nil
	}
	if u.good[rank] {
		return false, nil
	}
	u.missing[rank]++
	if u.missing[rank] == maxMissing {
		u.say("rank %d on %s is left out: %s", rank, host, r.Note)
	}
	for other := range u.size {
		if u.missing[other] < maxMissing && !slices.Contains(lost, other) {
			return u.size > 1, nil
		}
	}
	return false, fmt.Errorf("no rank can run it: %s", r.Note)
}

// reluctance keeps a rank that has not got the program from taking the items
// that others could do.
type reluctance struct {
	mu      sync.Mutex
	good    bool
	missing int
}

const (
	reluctantFor  = time.Second // longer each time
	reluctantMost = 10 * time.Second
)

// heed waits, if the program was missing here and never was not.
func (r *reluctance) heed(ctx context.Context, cannotRun bool) {
	r.mu.Lock()
	r.good = r.good || !cannotRun
	if cannotRun {
		r.missing++
	}
	wait := min(reluctantMost, time.Duration(r.missing)*reluctantFor)
	if r.good {
		wait = 0
	}
	r.mu.Unlock()
	if wait == 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
