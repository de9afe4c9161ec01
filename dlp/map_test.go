package dlp

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func square(_ context.Context, n int) (int, error) { return n * n, nil }

func TestMapUnorderedYieldsEachResultOnce(t *testing.T) {
	for _, size := range []int{1, 2, 3, 8} {
		for _, n := range []int{0, 1, 2, 1000} {
			for _, opts := range [][]MapOption{nil, {RootWorks()}} {
				var seen, seenSeq tally
				errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
					for r, err := range MapUnordered(ctx, c, numbers(n), square, opts...) {
						if err != nil {
							return err
						}
						assert.True(t, c.IsRoot())
						assert.Equal(t, r.Index*r.Index, r.Value)
						assert.True(t, r.Rank > 0 || size == 1 || opts != nil, "rank 0 only manages")
						seen.add(r.Index)
					}
					for r, err := range MapUnorderedSeq(ctx, c, slices.Values(numbers(n)), square, opts...) {
						if err != nil {
							return err
						}
						assert.Equal(t, r.Index*r.Index, r.Value)
						seenSeq.add(r.Index)
					}
					return nil
				})
				require.NoError(t, errors.Join(errs...))
				assert.Len(t, seen.counts, n)
				assert.Len(t, seenSeq.counts, n)
			}
		}
	}
}

func TestMapUnorderedBodyRunsAlone(t *testing.T) {
	var busy atomic.Int32 // calls of work on rank 0, and its body
	require.NoError(t, Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
		work := func(_ context.Context, n int) (int, error) {
			if c.IsRoot() {
				t.Error("work runs on rank 0")
			}
			busy.Add(1)
			return n, nil
		}
		for _, err := range MapUnordered(ctx, c, numbers(100), work) {
			if err != nil {
				return err
			}
		}
		return nil
	}))
	assert.EqualValues(t, 100, busy.Load())
}

// Values of all ways to travel: in a report, alone, in several reports.
func TestMapUnorderedLargeValues(t *testing.T) {
	for _, length := range []int{0, 1, 65535, 65536, 65537, 1 << 20, 5 << 20} {
		n := 20
		if length > 1<<20 {
			n = 4
		}
		var seen tally
		errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
			scratch := make([]byte, length)
			fill := func(_ context.Context, i int) ([]byte, error) {
				for k := range scratch {
					scratch[k] = byte(i)
				}
				return slices.Clone(scratch), nil
			}
			for r, err := range MapUnordered(ctx, c, numbers(n), fill) {
				if err != nil {
					return err
				}
				assert.Len(t, r.Value, length)
				assert.Equal(t, length, bytes.Count(r.Value, []byte{byte(r.Index)}))
				seen.add(r.Index)
			}
			return nil
		})
		require.NoError(t, errors.Join(errs...))
		assert.Equal(t, once(n), seen.counts, "%d bytes", length)
	}
}

func TestMapUnorderedBreak(t *testing.T) {
	for _, size := range []int{1, 2, 3} {
		for _, opts := range [][]MapOption{nil, {RootWorks()}, {OnError(Continue)}} {
			errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
				for r, err := range MapUnordered(ctx, c, numbers(100_000), square, opts...) {
					if err != nil {
						return err
					}
					if r.Index > 10 {
						break
					}
				}
				sum, err := Bcast(ctx, c, 7)
				assert.Equal(t, 7, sum)
				return err
			})
			require.NoError(t, errors.Join(errs...), "%d ranks", size)
		}
	}
}

func TestMapUnorderedBreakEndsWorkOfRoot(t *testing.T) {
	began := make(chan struct{}) // work on rank 0
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		var running atomic.Int32
		work := func(ctx context.Context, n int) (int, error) {
			if !c.IsRoot() {
				<-began // or rank 1 might do all items before rank 0 has one
				return n, nil
			}
			running.Add(1)
			defer running.Add(-1)
			close(began)
			<-ctx.Done()
			return 0, ctx.Err()
		}
		for _, err := range MapUnordered(ctx, c, numbers(10), work, RootWorks()) {
			if err != nil {
				return err
			}
			if c.IsRoot() {
				break
			}
		}
		assert.Zero(t, running.Load(), "work still runs behind the loop")
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}

var errOdd = errors.New("odd one out")

type selfish struct{ X int }

func (selfish) MarshalCBOR() ([]byte, error) { return nil, errors.New("I stay here") }
func (*selfish) UnmarshalCBOR([]byte) error  { return nil }

type crashing struct{ X int }

func (crashing) MarshalCBOR() ([]byte, error) { panic("I crash") }
func (*crashing) UnmarshalCBOR([]byte) error  { return nil }

type closedBook struct{ x int }

func TestMapUnorderedContextEnds(t *testing.T) {
	for _, opts := range [][]MapOption{nil, {RootWorks()}} {
		for _, leaver := range []int{0, 2} {
			leaverCtx, cancel := context.WithCancel(t.Context())
			left := make(chan struct{})
			fromAnywhere := leaver == 0 && opts == nil // which does not work
			errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
				if c.Rank() == leaver {
					ctx = leaverCtx
					defer close(left)
				}
				work := func(_ context.Context, n int) (int, error) {
					if c.Rank() == leaver || fromAnywhere {
						cancel()
					}
					if c.Rank() != leaver {
						<-left
					}
					return n, nil
				}
				for _, err := range MapUnordered(ctx, c, numbers(1000), work, opts...) {
					if err != nil {
						return err
					}
				}
				return nil
			})
			for rank, err := range errs {
				require.Error(t, err, "rank %d leaves, on rank %d", leaver, rank)
				assert.Contains(t, err.Error(), "context canceled")
			}
		}
	}
}

func TestMapUnorderedFailsOnLoss(t *testing.T) {
	for _, large := range []bool{false, true} {
		job := startBreakable(t, 3, nil)
		isCut := make(chan struct{})
		errs := job.run(func(c *Comm) error {
			work := func(_ context.Context, n int) ([]byte, error) {
				if c.Rank() == 2 {
					job.cut(2)
					close(isCut)
				}
				<-isCut // or rank 1 might do all items before rank 2 has one
				if large {
					return make([]byte, 64<<10), nil
				}
				return nil, nil
			}
			for _, err := range MapUnordered(context.Background(), c, numbers(10_000), work, OnLoss(Fail)) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		require.ErrorIs(t, errs[0], ErrLost)
		assert.Regexp(t, `rank 2 on node2: lost.*unfinished item`, errs[0].Error())
		require.Error(t, errs[1])
		assert.Contains(t, errs[1].Error(), "rank 2 on node2")
		require.Error(t, errs[2])
	}
}
