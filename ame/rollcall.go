package ame

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// rollcall is which ranks have come to rank 0, and who was turned away. It does
// no I/O.
type rollcall struct {
	size int

	mu       sync.Mutex
	claims   map[int]*claim // by rank
	joined   int            // how many claims have joined
	rejected map[string]int // connections by reason
}

// claim is the process that is, or was, a rank of the job.
type claim struct {
	instance instance
	joined   bool // it has sent its join frame
}

func newRollcall(size int) *rollcall {
	return &rollcall{size: size, claims: map[int]*claim{}, rejected: map[string]int{}}
}

// claim notes that a process has proved to be a rank. Only one may; it says
// whether the process is it. The process may claim again until it has joined,
// if a connection of it fails.
func (r *rollcall) claim(rank int, i instance) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.claims[rank]
	if c == nil {
		r.claims[rank] = &claim{instance: i}
		return true
	}
	return c.instance == i && !c.joined
}

// join notes that the process of a rank has joined.
func (r *rollcall) join(rank int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.claims[rank]; !c.joined {
		c.joined = true
		r.joined++
	}
}

// complete says whether all ranks but 0 have joined.
func (r *rollcall) complete() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.joined == r.size-1
}

// withdraw forgets the claim of a process that has not joined.
func (r *rollcall) withdraw(rank int, i instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.claims[rank]; c != nil && c.instance == i && !c.joined {
		delete(r.claims, rank)
	}
}

// maxReasons bounds how many different reasons are counted, each of at most
// maxReason bytes: they quote what strangers say.
const (
	maxReasons = 16
	maxReason  = 200
)

// reject counts a connection that was turned away.
func (r *rollcall) reject(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "?")
	if r.rejected[reason] == 0 && len(r.rejected) >= maxReasons {
		reason = "other reasons"
	}
	r.rejected[reason]++
}

// missing says who has not joined yet.
func (r *rollcall) missing(waited time.Duration) Missing {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := Missing{Rejected: maps.Clone(r.rejected), Waited: waited}
	for rank := 1; rank < r.size; rank++ {
		if c := r.claims[rank]; c == nil || !c.joined {
			m.Ranks = append(m.Ranks, rank)
		}
	}
	return m
}

// Missing says, on rank 0, who has not connected yet, and who has knocked
// and was turned away.
type Missing struct {
	Ranks    []int          // in ascending order
	Rejected map[string]int // number of connections by reason
	Waited   time.Duration
}

func (m Missing) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v after %v: missing %s", ErrTimeout, m.Waited.Round(100*time.Millisecond), rankList(m.Ranks))
	if len(m.Rejected) > 0 {
		b.WriteString("; turned away:")
		for _, reason := range slices.Sorted(maps.Keys(m.Rejected)) {
			fmt.Fprintf(&b, " %d x %s;", m.Rejected[reason], reason)
		}
	}
	return strings.TrimSuffix(b.String(), ";")
}
