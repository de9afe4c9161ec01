package dlp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRootOption(t *testing.T) {
	for root := range 3 {
		errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
			got, err := Bcast(ctx, c, fmt.Sprint("of ", c.Rank()), Root(root))
			if err != nil {
				return err
			}
			assert.Equal(t, fmt.Sprint("of ", root), got)
			all, err := Gather(ctx, c, c.Rank()*10, Root(root))
			if c.Rank() == root {
				assert.Equal(t, []int{0, 10, 20}, all)
			} else {
				assert.Nil(t, all)
			}
			return err
		})
		require.NoError(t, errors.Join(errs...))
	}
}

func TestRootsThatDiffer(t *testing.T) {
	errs := eachRank(t, 3, false, func(ctx context.Context, c *Comm) error {
		if _, err := Bcast(ctx, c, 1, Root(c.Rank()/2)); err != nil {
			return err
		}
		return c.Barrier(ctx) // a rank that only sends may not know yet
	})
	for rank, err := range errs {
		assert.ErrorIs(t, err, ErrMismatch, "rank %d", rank)
		assert.ErrorContains(t, err, "with root 0", "rank %d", rank)
		assert.ErrorContains(t, err, "with root 1", "rank %d", rank)
		assert.ErrorContains(t, err, "subcomm_test.go:", "rank %d", rank)
	}
}

func TestRootOutOfRange(t *testing.T) {
	for _, root := range []int{-1, 2} {
		for rank, err := range eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
			_, err := Gather(ctx, c, 1, Root(root))
			return err
		}) {
			assert.EqualError(t, err, fmt.Sprintf("dlp: gather: rank %d: no rank %d to be the root in a Comm of 2", rank, root))
		}
	}
}

func TestNilComm(t *testing.T) {
	var c *Comm
	ctx := t.Context()
	_, bcast := Bcast(ctx, c, 1)
	_, gather := Gather(ctx, c, 1)
	_, call := CallOnRoot(ctx, c, func() (int, error) { return 1, nil })
	_, dup := c.Dup(ctx)
	_, split := c.Split(ctx, 1, 1)
	_, node := c.SplitNode(ctx)
	errs := []error{bcast, gather, call, dup, split, node, c.Barrier(ctx)}
	for _, err := range SplitManaged(ctx, c, []int{1}) {
		errs = append(errs, err)
	}
	for _, err := range MapUnordered(ctx, c, []int{1}, func(context.Context, int) (int, error) { return 1, nil }) {
		errs = append(errs, err)
	}
	assert.Len(t, errs, 9)
	for _, err := range errs {
		assert.ErrorContains(t, err, "the Comm is nil")
	}
}

// Ranks of a job of five are divided into 4, 2, 0 and 3, 1.
func divided(ctx context.Context, world *Comm) (*Comm, error) {
	return world.Split(ctx, world.Rank()%2, -world.Rank())
}

func TestSplit(t *testing.T) {
	errs := eachRank(t, 5, true, func(ctx context.Context, world *Comm) error {
		c, err := divided(ctx, world)
		if err != nil {
			return err
		}
		defer c.Close()
		members := [][]int{{4, 2, 0}, {3, 1}}[world.Rank()%2]
		assert.Equal(t, len(members), c.Size())
		assert.Equal(t, world.Rank(), members[c.Rank()])
		info := c.Info()
		assert.Equal(t, []int{c.Rank(), c.Size(), c.Size()}, []int{info.Rank, info.Size, len(info.Peers)})
		all, err := Gather(ctx, c, world.Rank())
		if c.IsRoot() {
			assert.Equal(t, members, all)
		}
		if err != nil {
			return err
		}
		for rank := range world.Size() {
			in, ok := world.Translate(rank, c)
			assert.Equal(t, rank%2 == world.Rank()%2, ok)
			if ok {
				back, _ := c.Translate(in, world)
				assert.Equal(t, rank, back)
				assert.Equal(t, rank, members[in])
			}
		}
		_, ok := c.Translate(c.Size(), world)
		assert.False(t, ok)

		// One of those, and one that leaves a rank out.
		inner, err := c.Split(ctx, c.Rank()-1, 0)
		if err != nil {
			return err
		}
		assert.Equal(t, c.Rank() == 0, inner == nil)
		if inner != nil {
			assert.Equal(t, 1, inner.Size())
			defer inner.Close()
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}

func TestSplitNode(t *testing.T) {
	errs := eachRank(t, 4, true, func(ctx context.Context, world *Comm) error {
		odd, err := world.Split(ctx, world.Rank()%2, 0)
		if err != nil {
			return err
		}
		node, err := odd.SplitNode(ctx)
		if err != nil {
			return err
		}
		assert.Equal(t, []int{odd.Rank(), 2}, []int{node.Rank(), node.Size()})
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}

// All loops and containers take the ranks of a sub-communicator, two of which
// are used at the same time.
func TestLoopsOnSubCommunicators(t *testing.T) {
	const n = 200
	var done [2]tally
	errs := eachRank(t, 5, true, func(ctx context.Context, world *Comm) error {
		c, err := divided(ctx, world)
		if err != nil {
			return err
		}
		defer c.Close()
		half := &done[world.Rank()%2]
		for i := range SplitRoundRobin(c, numbers(n)) {
			half.add(i)
		}
		list := NewUnorderedList[int](c)
		for i, err := range SplitManaged(ctx, c, numbers(n)) {
			if err != nil {
				return err
			}
			half.add(n + i)
			list.Append(i)
		}
		all, err := list.Gather(ctx)
		if err != nil {
			return err
		}
		if c.IsRoot() {
			assert.ElementsMatch(t, numbers(n), all)
		}
		square := func(_ context.Context, i int) (int, error) { return i * i, nil }
		for r, err := range MapUnordered(ctx, c, numbers(n), square, RootWorks()) {
			if err != nil {
				return err
			}
			assert.True(t, c.IsRoot())
			assert.Equal(t, r.Index*r.Index, r.Value)
			half.add(2*n + r.Index)
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
	for i := range done {
		assert.Equal(t, once(3*n), done[i].counts)
	}
}

// An error in a loop of a sub-communicator names its own ranks.
func TestItemErrorOnASubCommunicator(t *testing.T) {
	errs := eachRank(t, 5, true, func(ctx context.Context, world *Comm) error {
		c, err := divided(ctx, world)
		if err != nil {
			return err
		}
		fail := func(context.Context, int) (int, error) { return 0, errOdd }
		for _, err := range MapUnordered(ctx, c, []int{7}, fail) {
			return err
		}
		return nil
	})
	for rank, err := range errs {
		var item *ItemError
		require.ErrorAs(t, err, &item, "rank %d", rank)
		assert.Positive(t, item.Rank)
		assert.Less(t, item.Rank, 3-rank%2)
	}
}

// A lost rank of a sub-communicator is named by its number there.
func TestLostInALoopOfASubCommunicator(t *testing.T) {
	b := startBreakable(t, 4, nil)
	var cut sync.Once
	var had int
	over, isCut := make(chan struct{}), make(chan struct{})
	errs := b.run(func(world *Comm) error {
		c, err := world.Split(t.Context(), min(world.Rank(), 1), -world.Rank()) // 0; 3, 2, 1
		if err != nil {
			return err
		}
		switch world.Rank() {
		case 0:
			<-over // messages go by way of it
			return nil
		case 3:
			defer close(over)
		}
		for item, err := range SplitManaged(t.Context(), c, numbers(50), Dedicated(), OnLoss(Fail)) {
			if err != nil {
				return err
			}
			if world.Rank() == 1 {
				cut.Do(func() {
					had = item
					b.cut(1)
					close(isCut)
				})
			}
			<-isCut // or rank 2 might do all items before rank 1 has one
		}
		return nil
	})
	assert.ErrorIs(t, errs[3], ErrLost)
	assert.ErrorContains(t, errs[3], fmt.Sprint("it leaves unfinished item ", had))
}

// When a rank is lost, the messages of a tolerant Dup go on, those of c do not.
func TestDupTolerant(t *testing.T) {
	job := startBreakable(t, 3, nil)
	errs := job.run(func(c *Comm) error {
		ctx := context.Background()
		dup, err := c.DupTolerant(ctx)
		if err != nil {
			return err
		}
		defer dup.Close()
		if c.Rank() == 2 {
			job.cut(2)
			return nil
		}
		if _, _, err := Recv[int](ctx, dup, 2, 1); !errors.Is(err, ErrLost) {
			return fmt.Errorf("from the lost rank: %w", err)
		}
		if c.Rank() == 1 {
			return Send(ctx, dup, 7, 0, 1)
		}
		n, status, err := Recv[int](ctx, dup, AnySource, 1)
		assert.Equal(t, 7, n)
		assert.Equal(t, 1, status.Source)
		_, _, lost := Recv[int](ctx, c, AnySource, 1)
		assert.ErrorIs(t, lost, ErrLost)
		return err
	})
	assert.NoError(t, errs[0])
	assert.NoError(t, errs[1])
}
