package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp"
)

// busy is how many slots of each rank work, as rank 0 knows it for --progress.
type busy struct {
	hosts []string // by rank
	slots []int    // by rank

	mu   sync.Mutex
	work []int // by rank
	lost []int // ranks
}

func newBusy(world *dlp.Comm, slots []int) *busy {
	b := &busy{slots: slots, work: make([]int, len(slots))}
	for rank := range slots {
		b.hosts = append(b.hosts, world.Info().Peers[rank].Host)
	}
	return b
}

// set notes what a rank says.
func (b *busy) set(rank, work int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.work[rank] = work
}

// lose forgets ranks.
func (b *busy) lose(ranks []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = ranks
}

// node is what the ranks of one are doing together.
type node struct {
	host        string
	work, slots int
}

// nodes are those of ranks that are not lost, in the order of the ranks.
func (b *busy) nodes() []node {
	b.mu.Lock()
	defer b.mu.Unlock()
	var nodes []node
	for rank, host := range b.hosts {
		if slices.Contains(b.lost, rank) {
			continue
		}
		i := slices.IndexFunc(nodes, func(n node) bool { return n.host == host })
		if i < 0 {
			i = len(nodes)
			nodes = append(nodes, node{host: host})
		}
		nodes[i].work += b.work[rank]
		nodes[i].slots += b.slots[rank]
	}
	return nodes
}

// shownNodes is how many nodes are named one by one.
const shownNodes = 8

// busyText is how many slots work on each node, for several. Of many nodes those
// are named where some do not.
func busyText(nodes []node) string {
	if len(nodes) < 2 {
		return ""
	}
	full := 0
	if len(nodes) > shownNodes {
		all := len(nodes)
		nodes = slices.DeleteFunc(nodes, func(n node) bool { return n.work >= n.slots })
		full = all - len(nodes)
	}
	var parts []string
	for _, n := range nodes[:min(shownNodes, len(nodes))] {
		parts = append(parts, fmt.Sprintf("%s %d/%d", n.host, n.work, n.slots))
	}
	if more := len(nodes) - shownNodes; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more not full", more))
	}
	if full > 0 {
		parts = append(parts, fmt.Sprintf("%d full", full))
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// tellEvery is how often a rank says how many of its slots work.
const tellEvery = 500 * time.Millisecond

// tellBusy tells rank 0 how many slots of this rank work, until ctx ends.
func (m *mapping) tellBusy(ctx context.Context, working func() int) {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	told := 0
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if n := working(); n != told {
			if dlp.Send(ctx, m.comm, n, 0, tagBusy) != nil {
				return
			}
			told = n
		}
	}
}

// hear is the other side of tellBusy, on rank 0.
func (b *busy) hear(ctx context.Context, comm *dlp.Comm) {
	for {
		n, status, err := dlp.Recv[int](ctx, comm, dlp.AnySource, tagBusy)
		if err != nil {
			return
		}
		b.set(status.Source, n)
	}
}
