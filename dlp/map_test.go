package dlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
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

func TestMapUnorderedStopsOnError(t *testing.T) {
	fails := map[string]func() error{
		"error": func() error { return errOdd },
		"panic": func() error { panic("odd one out") },
	}
	for name, fail := range fails {
		for _, size := range []int{1, 2, 4} {
			for _, opts := range [][]MapOption{nil, {RootWorks()}} {
				results := 0
				errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
					work := func(_ context.Context, n int) (int, error) {
						if n == 1000 {
							return 0, fail()
						}
						return n, nil
					}
					for r, err := range MapUnordered(ctx, c, numbers(200_000), work, opts...) {
						if err != nil {
							return err
						}
						require.NoError(t, r.Err)
						results++
					}
					return nil
				})
				for rank, err := range errs {
					require.Error(t, err, "%s on rank %d of %d", name, rank, size)
					assert.Regexp(t, `item 1000 on rank \d \(\S+\): .*odd one out`, err.Error())
				}
				assert.Less(t, results, 199_999, "nothing new is handed out")
				var item *ItemError
				require.ErrorAs(t, errs[0], &item)
				assert.Equal(t, 1000, item.Index)
				assert.NotEmpty(t, item.Host)
				assert.Equal(t, name == "panic", item.Stack != nil)
				if name == "panic" {
					assert.Contains(t, string(item.Stack), "map_test.go")
				}
				if size == 1 && name == "error" {
					assert.ErrorIs(t, errs[0], errOdd)
				}
			}
		}
	}
}

func TestMapUnorderedContinues(t *testing.T) {
	for _, size := range []int{1, 3} {
		var good, bad tally
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			work := func(_ context.Context, n int) (int, error) {
				switch n % 3 {
				case 1:
					return 0, errOdd
				case 2:
					panic(fmt.Sprint("panic at ", n))
				}
				return n, nil
			}
			for r, err := range MapUnordered(ctx, c, numbers(300), work, OnError(Continue)) {
				if err != nil {
					return err
				}
				if r.Err == nil {
					good.add(r.Index)
					continue
				}
				bad.add(r.Index)
				var item *ItemError
				if assert.ErrorAs(t, r.Err, &item) {
					assert.Equal(t, r.Index, item.Index)
					assert.Equal(t, r.Index%3 == 2, item.Stack != nil)
				}
			}
			return nil
		})
		require.NoError(t, errors.Join(errs...))
		assert.Len(t, good.counts, 100)
		assert.Len(t, bad.counts, 200)
	}
}

func TestMapUnorderedManyErrorsAreCounted(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		next := 0
		work := func(context.Context, int) (int, error) {
			if next++; next > 100 {
				return 0, errOdd
			}
			return 0, nil
		}
		for _, err := range MapUnordered(ctx, c, numbers(100_000), work) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	require.Error(t, errs[0])
	assert.Less(t, len(errs[0].Error()), 10_000)
}

type selfish struct{ X int }

func (selfish) MarshalCBOR() ([]byte, error) { return nil, errors.New("I stay here") }
func (*selfish) UnmarshalCBOR([]byte) error  { return nil }

type crashing struct{ X int }

func (crashing) MarshalCBOR() ([]byte, error) { panic("I crash") }
func (*crashing) UnmarshalCBOR([]byte) error  { return nil }

type closedBook struct{ x int }

// mapOf maps to a value and returns the loop's error.
func mapOf[R any](ctx context.Context, c *Comm, value R, opts ...MapOption) error {
	work := func(context.Context, int) (R, error) { return value, nil }
	for _, err := range MapUnordered(ctx, c, numbers(5), work, opts...) {
		if err != nil {
			return err
		}
	}
	return nil
}

// Results that cannot travel are errors of their items, those of types that
// cannot are errors of the loop.
func TestMapUnorderedValuesThatCannotTravel(t *testing.T) {
	tests := []struct {
		name, want string
		loop       func(ctx context.Context, c *Comm) error
	}{
		{"chan", "item 0 on rank 0 .* chan int", func(ctx context.Context, c *Comm) error {
			return mapOf[any](ctx, c, make(chan int), RootWorks())
		}},
		{"own error", "I stay here", func(ctx context.Context, c *Comm) error { return mapOf(ctx, c, selfish{}) }},
		{"own panic", "I crash", func(ctx context.Context, c *Comm) error { return mapOf(ctx, c, crashing{}) }},
		{"type", `map: rank \d: .*closedBook\.x is unexported`, func(ctx context.Context, c *Comm) error { return mapOf(ctx, c, closedBook{1}) }},
	}
	for _, test := range tests {
		for _, size := range []int{1, 3} {
			if size == 1 && test.name[:3] == "own" {
				continue // nothing is encoded
			}
			for rank, err := range eachRank(t, size, true, test.loop) {
				if assert.Error(t, err, "%s, rank %d of %d", test.name, rank, size) && (size == 1 || test.name != "chan") {
					assert.Regexp(t, test.want, err.Error())
				}
			}
		}
	}
}

func TestMapUnorderedTypesDiffer(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		if c.IsRoot() {
			for _, err := range MapUnordered(ctx, c, numbers(5), func(context.Context, int) ([]int32, error) { return nil, nil }) {
				if err != nil {
					return err
				}
			}
			return nil
		}
		for _, err := range MapUnordered(ctx, c, numbers(5), func(context.Context, int) ([]float64, error) { return []float64{1}, nil }) {
			return err
		}
		return nil
	})
	require.Error(t, errs[0])
	assert.Contains(t, errs[0].Error(), "got []float64 where []int32 is wanted")
}

func TestMapUnorderedGoexitOfWork(t *testing.T) {
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) (err error) {
		work := func(_ context.Context, n int) (int, error) {
			if n == 50 {
				runtime.Goexit()
			}
			return n, nil
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, failed := range MapUnordered(ctx, c, numbers(100), work) {
				err = failed
			}
		})
		wg.Wait()
		return err
	})
	require.Error(t, errs[0])
	assert.Regexp(t, `rank \d on \S+: left the loop by a panic, unfinished item`, errs[0].Error())
}

func TestMapUnorderedPanicOfBody(t *testing.T) {
	for _, opts := range [][]MapOption{nil, {RootWorks()}} {
		errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) (err error) {
			defer func() {
				if v := recover(); v != nil {
					assert.Equal(t, "boom", v)
				}
			}()
			for _, failed := range MapUnordered(ctx, c, numbers(200_000), square, opts...) {
				if err = failed; failed == nil {
					panic("boom")
				}
			}
			return err
		})
		require.NoError(t, errs[0])
		for _, err := range errs[1:] {
			require.Error(t, err)
			assert.Contains(t, err.Error(), "rank 0 on")
			assert.Contains(t, err.Error(), "left the loop body by a panic")
		}
	}
}

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

func TestMapUnorderedLostRank(t *testing.T) {
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
			for _, err := range MapUnordered(context.Background(), c, numbers(10_000), work) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		require.Error(t, errs[0])
		assert.Regexp(t, `rank 2 on node2: lost.*unfinished item`, errs[0].Error())
		require.Error(t, errs[1])
		assert.Contains(t, errs[1].Error(), "rank 2 on node2")
		require.Error(t, errs[2])
	}
}
