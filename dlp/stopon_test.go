package dlp

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stopper closes its channel once.
type stopper struct {
	stop chan struct{}
	once sync.Once
}

func newStopper() *stopper { return &stopper{stop: make(chan struct{})} }

func (s *stopper) ask() { s.once.Do(func() { close(s.stop) }) }

// Whichever rank is asked to stop, all that is done is delivered, the loop ends
// on all ranks, and collectives work.
func TestMapUnorderedStops(t *testing.T) {
	for _, size := range []int{1, 2, 4} {
		for asked := range size {
			for _, opts := range [][]MapOption{nil, {RootWorks()}, {RootWorks(), Slots(3)}} {
				if opts == nil && asked == 0 && size > 1 {
					continue // rank 0 does not work
				}
				var worked, got tally
				stops := make([]*stopper, size)
				for i := range stops {
					stops[i] = newStopper()
				}
				errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
					mine := stops[c.Rank()]
					work := func(_ context.Context, n int) (int, error) {
						if c.Rank() == asked && n > 50 {
							mine.ask()
						}
						worked.add(n)
						return n, nil
					}
					for r, err := range MapUnordered(ctx, c, numbers(1_000_000), work, append(opts, StopOn(mine.stop, time.Hour))...) {
						if err != nil {
							return err
						}
						got.add(r.Value)
					}
					return nil
				})
				for rank, err := range errs {
					require.ErrorIs(t, err, ErrStopped, "rank %d of %d, asked is %d", rank, size, asked)
					assert.Regexp(t, `stopped as asked, not done: items \d`, err)
				}
				assert.Equal(t, worked.counts, got.counts)
				assert.Less(t, len(got.counts), 1_000_000)
			}
		}
	}
}

func TestSplitManagedStops(t *testing.T) {
	for _, size := range []int{1, 3} {
		for asked := range size {
			var seen tally
			errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
				s := newStopper()
				for item, err := range SplitManaged(ctx, c, numbers(1_000_000), StopOn(s.stop, time.Hour)) {
					if err != nil {
						return err
					}
					if c.Rank() == asked && item > 50 {
						s.ask()
					}
					seen.add(item)
				}
				return nil
			})
			for _, err := range errs {
				require.ErrorIs(t, err, ErrStopped)
			}
			for item, times := range seen.counts {
				assert.Equal(t, 1, times, "item %d", item)
			}
		}
	}
}

// After the grace the ctx of work ends. What is not done for that is no failure.
func TestGraceEndsWork(t *testing.T) {
	for _, size := range []int{1, 3} {
		s := newStopper()
		var working atomic.Int32
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			work := func(ctx context.Context, n int) (int, error) {
				if working.Add(1) == int32(size) {
					s.ask()
				}
				<-ctx.Done()
				assert.ErrorIs(t, context.Cause(ctx), ErrStopped)
				if n == 0 {
					return 0, nil // done nevertheless
				}
				return 0, context.Cause(ctx)
			}
			got := 0
			for r, err := range MapUnordered(ctx, c, numbers(10), work, RootWorks(), StopOn(s.stop, time.Millisecond)) {
				if err != nil {
					return err
				}
				assert.Zero(t, r.Index)
				got++
			}
			assert.Fail(t, "no error")
			return nil
		})
		for _, err := range errs {
			require.ErrorIs(t, err, ErrStopped)
			assert.NotErrorAs(t, err, new(*ItemError))
			assert.ErrorContains(t, err, "not done: items 1-9")
		}
	}
}

// A loop that was asked to stop in its last item has done all of them.
func TestStopIsTooLate(t *testing.T) {
	require.NoError(t, Run(t.Context(), 1, func(ctx context.Context, c *Comm) error {
		s := newStopper()
		got := 0
		for _, err := range MapUnordered(ctx, c, numbers(10), square, StopOn(s.stop, time.Hour)) {
			if err != nil {
				return err
			}
			if got++; got == 10 {
				s.ask()
			}
		}
		assert.Equal(t, 10, got)
		return nil
	}))
}

func TestStopBeforeTheEndOfTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range []int{1, 3} {
			var done atomic.Int32
			require.NoError(t, Run(t.Context(), size, func(ctx context.Context, c *Comm) error {
				c.loops.askEnd.Do(func() { c.loops.end = time.Now().Add(time.Hour) })
				work := func(context.Context, int) (int, error) {
					time.Sleep(7 * time.Minute)
					done.Add(1)
					return 0, nil
				}
				var last error
				for _, last = range MapUnordered(ctx, c, numbers(100), work, RootWorks(), StopBefore(10*time.Minute)) {
				}
				assert.ErrorIs(t, last, ErrStopped)
				assert.ErrorContains(t, last, "stopped to be done by 2000-01-01 0")
				return c.Barrier(ctx)
			}))
			assert.EqualValues(t, size*7, done.Load())
		}
	})
}

func TestFindJobEnd(t *testing.T) {
	end := time.Date(2026, 3, 1, 12, 30, 0, 0, time.Local)
	tests := map[string]struct {
		variables map[string]string
		squeue    string
		failure   error
		err       string
	}{
		"variable":     {variables: map[string]string{"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": "1772368200"}},
		"squeue":       {variables: map[string]string{"SLURM_JOB_ID": "7"}, squeue: "2026-03-01T12:30:00\n"},
		"no job":       {err: "neither SLURM_JOB_END_TIME nor SLURM_JOB_ID is set"},
		"bad variable": {variables: map[string]string{"SLURM_JOB_END_TIME": "noon"}, err: `is "noon", not a number of seconds`},
		"no squeue":    {variables: map[string]string{"SLURM_JOB_ID": "7"}, failure: errOdd, err: "squeue does not tell: odd one out"},
		"no limit":     {variables: map[string]string{"SLURM_JOB_ID": "7"}, squeue: "NONE\n", err: `squeue says that it is "NONE"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			lookup := func(name string) (string, bool) {
				v, ok := test.variables[name]
				return v, ok
			}
			got, err := findJobEnd(lookup, func(job string) (string, error) {
				assert.Equal(t, "7", job)
				return test.squeue, test.failure
			})
			if test.err != "" {
				assert.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			if name == "variable" {
				assert.EqualValues(t, 1772368200, got.Unix())
			} else {
				assert.True(t, end.Equal(got))
			}
		})
	}
}
