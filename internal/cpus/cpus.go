// Package cpus says which processors this process may use, and binds what it
// starts to some of them.
package cpus

import (
	"math"
	"runtime"

	"github.com/dlp-mpi/dlp-go/internal/cgroup"
)

// Usable is how many processors there are for this process: those that it may
// run on, as far as its quota of processor time goes (cgroup cpu.max).
func Usable() int { return WithinQuota(runtime.NumCPU()) }

// WithinQuota is n, or how many processors a quota of processor time allows if
// those are fewer, at least 1.
func WithinQuota(n int) int {
	if quota, ok := cgroup.CPUQuota("/"); ok {
		n = min(n, AtLeast(1, quota))
	}
	return n
}

// AtLeast rounds up, but returns no less than least.
func AtLeast(least int, n float64) int { return max(least, int(math.Ceil(n))) }
