package loop

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crew works on all items of a Server of one rank, in so many slots, and returns
// when each item was done.
func crew(t *testing.T, s *Server, slots int, took func(index int) time.Duration) map[int]time.Duration {
	w := s.NewWorker()
	start, done := time.Now(), map[int]time.Duration{}
	var mu sync.Mutex
	turn := make(chan bool, 1)
	var all sync.WaitGroup
	over := false
	for range slots {
		all.Go(func() {
			for {
				turn <- true
				var task Task
				ok := !over
				if ok {
					var err error
					task, ok, err = w.Next(t.Context())
					assert.NoError(t, err)
					over = !ok
				}
				<-turn
				if !ok {
					return
				}
				time.Sleep(took(task.Index))
				mu.Lock()
				done[task.Index] = time.Since(start)
				mu.Unlock()
				assert.NoError(t, w.Done(Item{Index: task.Index, Duration: took(task.Index), Status: Value}))
			}
		})
	}
	all.Wait()
	w.Leave(Fail, nil)
	return done
}

func TestWorkerFillsItsSlots(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		slots, items int
		took         func(index int) time.Duration
		ends         time.Duration
	}{
		"as many items as slots": {4, 4, func(int) time.Duration { return time.Hour }, time.Hour},
		"long items":             {4, 40, func(int) time.Duration { return time.Second }, 10 * time.Second},
		"a long item beside quick ones": {2, 1001, func(i int) time.Duration {
			if i == 0 {
				return time.Second
			}
			return ms
		}, time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewServer(nil, Config{Size: 1, Total: test.items, RootWorks: true, Slots: []int{test.slots}, Errors: plain{}})
				done := crew(t, s, test.slots, test.took)
				assert.Len(t, done, test.items)
				for index, at := range done {
					assert.LessOrEqual(t, at, test.ends, "item %d", index)
				}
				taken := 0
				for over := false; !over; {
					results, last, err := s.Take(t.Context())
					require.NoError(t, err)
					taken, over = taken+len(results), last
				}
				assert.Equal(t, test.items, taken)
			})
		})
	}
}

// What a slot has done is there before another slot of its rank is done, and a
// slot that waits gets what comes.
func TestWorkerReportsWhileOthersWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(nil, Config{Size: 1, Total: Unknown, Travels: true, RootWorks: true, Slots: []int{3}, Errors: plain{}})
		ended := make(chan map[int]time.Duration)
		go func() {
			ended <- crew(t, s, 3, func(index int) time.Duration {
				if index == 1 {
					return time.Hour
				}
				return time.Second
			})
		}()
		for i := range 10 {
			s.Add(anInput("a"))
			time.Sleep(time.Second + time.Nanosecond)
			results, _, err := s.poll()
			require.NoError(t, err)
			if i != 1 {
				require.Len(t, results, 1, "item %d", i)
				assert.Equal(t, i, results[0].Index)
			}
		}
		s.NoMore()
		assert.Len(t, <-ended, 10)
	})
}
