package loop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/stretchr/testify/require"
)

// chaos is a loop on a network whose ranks are killed while they work, or work
// slowly, or stand still for a while, by a seed.
type chaos struct {
	t         *testing.T
	net       *network
	server    *Server
	total     int
	rootWorks bool
	slow      []int                // by rank: how many times longer its items take
	stop      []context.CancelFunc // by rank: kills what it does
	working   sync.WaitGroup       // ranks

	mu      sync.Mutex
	random  *rand.Rand
	current []int       // by rank: the item that it works on, -1: none
	begun   map[int]int // by item: how many ranks have begun it
	killed  map[int]int // by rank: the item that it was killed in, or -1

	failed map[int]bool // items
}

// TestChaos kills ranks in the middle of loops, a thousand times: each item
// comes once, and only what two ranks were killed with has failed.
func TestChaos(t *testing.T) {
	deadline.Extend(t, 5*time.Minute)
	kills, hits, poison := 0, 0, 0
	for seed := range uint64(1000) {
		synctest.Test(t, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			c := newChaos(t, seed)
			c.run()
			for _, item := range c.killed {
				kills++
				if item >= 0 {
					hits++
				}
			}
			poison += len(c.failed)
		})
	}
	t.Logf("%d kills, %d of them in an item, %d items failed with two", kills, hits, poison)
	require.Greater(t, hits, 500)
	require.Greater(t, poison, 5)
}

func newChaos(t *testing.T, seed uint64) *chaos {
	random := rand.New(rand.NewPCG(seed, 0))
	size := 2 + random.IntN(7)
	c := &chaos{
		t: t, total: random.IntN(300), rootWorks: random.IntN(3) == 0, slow: make([]int, size), stop: make([]context.CancelFunc, size),
		random: random, current: make([]int, size), begun: map[int]int{}, killed: map[int]int{},
	}
	for rank := range size {
		c.slow[rank] = []int{1, 1, 1, 10}[random.IntN(4)]
		c.current[rank] = -1
	}
	c.net = newNetwork(size, rand.New(rand.NewPCG(seed, 1)))
	c.server = NewServer(port{c.net, 0}, Config{Size: size, Total: c.total, RootWorks: c.rootWorks, Errors: plain{}})
	return c
}

// run runs the loop to its end.
func (c *chaos) run() {
	go c.server.Run()
	for rank := range c.net.size {
		if rank == 0 && !c.rootWorks {
			continue
		}
		ctx, cancel := context.WithCancel(c.t.Context())
		c.stop[rank] = cancel
		w := c.server.NewWorker()
		if rank > 0 {
			w = NewWorker(port{c.net, rank}, 1, c.net.size, false, plain{})
		}
		c.working.Go(func() { c.work(ctx, rank, w) })
	}
	done := make(chan struct{})
	c.working.Go(func() { c.torment(done) })
	c.failed = c.take()
	close(done)
	for _, cancel := range c.stop {
		if cancel != nil {
			defer cancel()
		}
	}
	c.working.Wait()
	<-c.server.served
	c.net.close()
	c.compare()
}

// took is how long an item takes on a rank.
func (c *chaos) took(rank, index int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	times := []time.Duration{0, 10 * time.Microsecond, time.Millisecond, 20 * time.Millisecond}
	d := times[c.random.IntN(len(times))] * time.Duration(c.slow[rank])
	if c.random.IntN(50) == 0 {
		d += time.Second // it was stopped meanwhile
	}
	return d
}

// work is what a rank does until the loop ends or it is killed.
func (c *chaos) work(ctx context.Context, rank int, w *Worker) {
	for {
		task, ok, err := w.Next(ctx)
		if err != nil || !ok {
			if !c.net.isDead(rank) {
				w.Leave(Fail, err)
			}
			return
		}
		index := task.Index
		c.note(rank, index)
		d := c.took(rank, index)
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return
		}
		c.note(rank, -1)
		body := fmt.Appendf(nil, "%d", index)
		if index%40 == 7 {
			body = append(make([]byte, largeValue), body...)
		}
		if w.Done(Item{Index: index, Duration: d, Status: Value, Payload: value.Payload{Body: body}}) != nil {
			return
		}
	}
}

func (c *chaos) note(rank, index int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current[rank] = index; index >= 0 {
		c.begun[index]++
	}
}

// torment kills some ranks, at times the one that goes on with the item of the
// last. One rank is spared.
func (c *chaos) torment(done chan struct{}) {
	pause := 400 * time.Millisecond
	if c.total < 100 {
		pause /= 10
	}
	c.mu.Lock()
	victims := c.random.Perm(c.net.size - 1)
	c.mu.Unlock()
	last := -1
	for len(victims) > 1 || c.rootWorks && len(victims) > 0 {
		select {
		case <-time.After(c.net.draw(pause) + 1):
		case <-done:
			return
		}
		at := c.holder(victims, last)
		rank := 1 + victims[at]
		victims = append(victims[:at], victims[at+1:]...)
		c.net.kill(rank) // before it is seen what it works on: it cannot end that any more
		c.mu.Lock()
		last = c.current[rank]
		c.killed[rank] = last
		c.mu.Unlock()
		c.stop[rank]()
		c.net.bury(rank)
	}
}

// holder returns which of the victims works on an item, 0 if none does.
func (c *chaos) holder(victims []int, item int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, v := range victims {
		if item >= 0 && c.current[1+v] == item {
			return i
		}
	}
	return 0
}

// take is rank 0's loop body: each item must come once.
func (c *chaos) take() map[int]bool {
	came, failed := map[int]bool{}, map[int]bool{}
	for {
		results, over, err := c.server.Take(c.t.Context())
		require.NoError(c.t, err)
		if over {
			break
		}
		for _, item := range results {
			require.False(c.t, came[item.Index], "item %d twice", item.Index)
			came[item.Index] = true
			if item.Status == Failed {
				failed[item.Index] = true
				c.judge(item)
				continue
			}
			body := item.Payload.Body
			if len(body) >= largeValue {
				body = body[largeValue:]
			}
			require.Equal(c.t, strconv.Itoa(item.Index), string(body))
		}
	}
	require.Len(c.t, came, c.total)
	return failed
}

// judge checks that two ranks were killed that may have held an item that has failed.
func (c *chaos) judge(item Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	require.ErrorContains(c.t, item.Err, "was lost while it held this item, and now this one")
	var first int
	_, err := fmt.Sscanf(item.Err.Error(), "rank %d was lost", &first)
	require.NoError(c.t, err)
	require.Contains(c.t, c.killed, first)
	require.Contains(c.t, c.killed, item.Rank)
	require.NotEqual(c.t, first, item.Rank)
	require.LessOrEqual(c.t, c.begun[item.Index], 2)
}

// compare checks that every item has failed that two ranks were killed in.
func (c *chaos) compare() {
	in := map[int]bool{}
	for rank, item := range c.killed {
		require.False(c.t, item >= 0 && in[item] && !c.failed[item], "rank %d was the second one that was killed in item %d", rank, item)
		in[item] = true
	}
}
