package dlp

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checksum is what work makes of an item.
func checksum(n int) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, n)
	return h.Sum64()
}

// The items of lost ranks are done by others, each result is delivered once, and
// a loop that has delivered all of them has no error. One item may be with both
// ranks when they are lost.
func TestMapUnorderedSurvivesLosses(t *testing.T) {
	const size, items = 5, 2000
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 0))
		dies := map[int]int32{1 + random.IntN(2): 1 + random.Int32N(300), 3 + random.IntN(2): 1 + random.Int32N(300)}
		opts := []MapOption{OnError(Continue)}
		if seed%2 == 1 {
			opts = append(opts, RootWorks())
		}
		length := 1
		if seed == 4 {
			length = 9000 // of uint64: results in messages of their own
		}
		job := startBreakable(t, size, nil)
		var both sync.WaitGroup // is done when two ranks are lost
		both.Add(len(dies))
		got, poison := map[int]int{}, 0
		errs := job.run(func(c *Comm) error {
			var done atomic.Int32
			work := func(_ context.Context, n int) ([]uint64, error) {
				switch at, mortal := dies[c.Rank()]; {
				case mortal && done.Add(1) == at:
					job.cut(c.Rank())
					both.Done()
				case !mortal && done.Add(1) > items/(2*size):
					both.Wait() // or the others might do all items before
				}
				return slices.Repeat([]uint64{checksum(n)}, length), nil
			}
			for r, err := range MapUnordered(context.Background(), c, numbers(items), work, opts...) {
				if err != nil {
					return err
				}
				got[r.Index]++
				switch _, mortal := dies[r.Rank]; {
				case mortal && r.Err != nil:
					poison++
				case r.Err != nil || r.Value[length-1] != checksum(r.Index):
					return fmt.Errorf("item %d: %v", r.Index, r.Err)
				}
			}
			if _, mortal := dies[c.Rank()]; mortal {
				return nil
			}
			c.ame.AwaitLost(context.Background(), 1) // this rank may hear of them later than rank 0
			if lost := c.Lost(); len(lost) != 2 || dies[lost[0]] == 0 || dies[lost[1]] == 0 {
				return fmt.Errorf("lost are %v", lost)
			}
			_, err := Gather(context.Background(), c, 1)
			assert.ErrorIs(t, err, ErrLost)
			assert.Regexp(t, `rank \d on node\d: lost`, err)
			for _, err := range SplitManaged(context.Background(), c, numbers(1)) {
				assert.ErrorIs(t, err, ErrLost)
			}
			return nil
		})
		for rank, err := range errs {
			if _, mortal := dies[rank]; mortal {
				assert.ErrorIs(t, err, ErrLost, "of rank 0, for rank %d", rank)
			} else {
				assert.NoError(t, err, "seed %d, rank %d", seed, rank)
			}
		}
		assert.True(t, maps.Equal(once(items), got), "seed %d: %d items", seed, len(got))
		assert.LessOrEqual(t, poison, 1)
	}
}

// An item that two ranks were lost with is an item that has failed.
func TestPoison(t *testing.T) {
	const poison = 7
	for _, policy := range []ErrorPolicy{Stop, Continue} {
		job := startBreakable(t, 4, nil)
		results := map[int]int{}
		var failed []*ItemError
		errs := job.run(func(c *Comm) error {
			work := func(_ context.Context, n int) (int, error) {
				if n == poison {
					job.cut(c.Rank())
					c.ame.AwaitLost(context.Background(), 0) // of rank 0: until all know
				}
				return n, nil
			}
			for r, err := range MapUnordered(context.Background(), c, numbers(100), work, OnError(policy)) {
				if err != nil {
					return err
				}
				results[r.Index]++
				if r.Err != nil {
					failed = append(failed, r.Err.(*ItemError))
				}
			}
			return nil
		})
		var item *ItemError
		survivors := 0
		for rank, err := range errs[1:] {
			if policy == Stop && assert.Error(t, err, "rank %d", rank+1) {
				survivors++
			} else if err == nil {
				survivors++
			}
		}
		if policy == Stop {
			require.ErrorAs(t, errs[0], &item)
		} else {
			require.NoError(t, errs[0])
			require.Len(t, failed, 1)
			assert.Equal(t, once(100), results)
			assert.Equal(t, 1, survivors)
			item = failed[0]
		}
		assert.Equal(t, poison, item.Index)
		assert.Equal(t, fmt.Sprint("node", item.Rank), item.Host)
		assert.ErrorIs(t, item, ErrLost)
		assert.Regexp(t, `^item 7 on rank \d \(node\d\): rank \d was lost while it held this item, and now this one, so it is not tried again: .*rank \d on node\d: lost`, item.Error())
	}
}

// With no rank left that works, the loop says what is not done.
func TestAllWorkersLost(t *testing.T) {
	job := startBreakable(t, 3, nil)
	var both sync.WaitGroup // or one might get, and be lost with, the item of the other
	both.Add(2)
	errs := job.run(func(c *Comm) error {
		work := func(context.Context, int) (int, error) {
			both.Done()
			both.Wait()
			job.cut(c.Rank())
			c.ame.AwaitLost(context.Background(), 0)
			return 0, nil
		}
		for _, err := range MapUnordered(context.Background(), c, numbers(50), work) {
			return err
		}
		return nil
	})
	require.ErrorIs(t, errs[0], ErrLost)
	for _, want := range []string{"rank 1 on node1: lost: ", "rank 2 on node2: lost: ", "; no rank is left that could do items 0-49"} {
		assert.ErrorContains(t, errs[0], want)
	}
}

func TestSkipsItemsOfALostRank(t *testing.T) {
	job := startBreakable(t, 3, nil)
	isCut := make(chan struct{})
	got := map[int]int{}
	errs := job.run(func(c *Comm) error {
		work := func(_ context.Context, n int) (int, error) {
			if c.Rank() == 2 {
				job.cut(2)
				close(isCut)
				c.ame.AwaitLost(context.Background(), 0)
			}
			<-isCut
			return n, nil
		}
		for r, err := range MapUnordered(context.Background(), c, numbers(100), work, OnLoss(Skip)) {
			if err != nil {
				return err
			}
			got[r.Index]++
		}
		return nil
	})
	for _, rank := range []int{0, 1} {
		require.ErrorIs(t, errs[rank], ErrLost)
		assert.Regexp(t, `rank 2 on node2: lost.*left out: item \d+$`, errs[rank])
	}
	assert.Len(t, got, 99, "all others are done")
}

// SplitManaged holds the ranks until all items are done by ranks that are left,
// and then says on each that one was lost.
func TestSplitManagedRedoesItemsOfALostRank(t *testing.T) {
	const items = 300
	for _, opts := range [][]SplitOption{nil, {Dedicated()}} {
		job := startBreakable(t, 4, nil)
		isCut := make(chan struct{})
		kept := make([]map[int]int, 4)
		errs := job.run(func(c *Comm) error {
			mine := map[int]int{}
			kept[c.Rank()] = mine
			for item, err := range SplitManaged(context.Background(), c, numbers(items), opts...) {
				if err != nil {
					return err
				}
				switch {
				case c.Rank() == 2 && len(mine) == 20:
					job.cut(2)
					close(isCut)
				case c.Rank() != 2 && len(mine) > 20:
					<-isCut
				}
				mine[item]++
			}
			return nil
		})
		all := map[int]int{}
		for rank, mine := range kept {
			if rank == 2 {
				continue
			}
			for item, n := range mine {
				all[item] += n
			}
			require.ErrorIs(t, errs[rank], ErrLost, "rank %d", rank)
			assert.Regexp(t, `rank 2 on node2: lost.*; all items are done`, errs[rank])
		}
		assert.Equal(t, once(items), all)
	}
}
