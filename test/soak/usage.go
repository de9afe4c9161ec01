package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// usage is what a rank has.
type usage struct {
	Resident    int // bytes
	Heap        int // bytes that are alive
	Goroutines  int
	Descriptors int
}

// measure collects the usage of all ranks on rank 0, when none of them works.
func measure(ctx context.Context, world *dlp.Comm) ([]usage, error) {
	if err := world.Barrier(ctx); err != nil {
		return nil, err
	}
	u, err := settled()
	if err != nil {
		return nil, err
	}
	all, err := dlp.Gather(ctx, world, u)
	if err != nil {
		return nil, err
	}
	// The others wait here, so that what rank 0 does is not measured as theirs.
	return all, world.Barrier(ctx)
}

// settled is the usage of this rank when what is behind it has come to its end:
// managers of loops on rank 0, and connections, end a little after their calls.
func settled() (least usage, err error) {
	for i := range 5 {
		if i > 0 {
			time.Sleep(50 * time.Millisecond)
		}
		debug.FreeOSMemory() // collects the garbage, too
		u, err := current()
		if err != nil {
			return least, err
		}
		if i == 0 {
			least = u
		}
		least.Resident, least.Heap = min(least.Resident, u.Resident), min(least.Heap, u.Heap)
		least.Goroutines, least.Descriptors = min(least.Goroutines, u.Goroutines), min(least.Descriptors, u.Descriptors)
	}
	return least, nil
}

func current() (u usage, err error) {
	var pages [2]int
	text, err := os.ReadFile("/proc/self/statm") // proc_pid_statm(5): size, resident
	if err != nil {
		return u, err
	}
	if _, err := fmt.Sscan(string(text), &pages[0], &pages[1]); err != nil {
		return u, fmt.Errorf("/proc/self/statm: %w", err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return u, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{pages[1] * os.Getpagesize(), int(m.HeapAlloc), runtime.NumGoroutine(), len(open)}, nil
}

const mib = 1 << 20

// table shows the usage of all ranks.
func table(after time.Duration, rounds int, all []usage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "after %v, %d rounds\n  rank  resident MiB  heap MiB  goroutines  descriptors\n", after.Round(time.Second), rounds)
	for rank, u := range all {
		fmt.Fprintf(&b, "  %4d  %12.1f  %8.2f  %10d  %11d\n", rank, float64(u.Resident)/mib, float64(u.Heap)/mib, u.Goroutines, u.Descriptors)
	}
	return b.String()
}

// What may come on top of what a rank had at first: caches fill, and a measurement
// may meet something that is just ending.
const (
	moreResident    = 16 * mib // and a fifth
	moreHeap        = mib / 2  // and a fifth
	moreGoroutines  = 2
	moreDescriptors = 2
)

// grown is an error that names the ranks that have grown.
func grown(first, last []usage) error {
	var errs []error
	for rank, a := range first {
		b := last[rank]
		for _, was := range []struct {
			what              string
			from, to, allowed int
		}{
			{"bytes of resident memory", a.Resident, b.Resident, a.Resident/5 + moreResident},
			{"bytes of live heap", a.Heap, b.Heap, a.Heap/5 + moreHeap},
			{"goroutines", a.Goroutines, b.Goroutines, moreGoroutines},
			{"descriptors", a.Descriptors, b.Descriptors, moreDescriptors},
		} {
			if was.to > was.from+was.allowed {
				errs = append(errs, fmt.Errorf("rank %d has grown from %d to %d %s", rank, was.from, was.to, was.what))
			}
		}
	}
	return errors.Join(errs...)
}
