package dlp

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
)

// recording is a file for a timeline.
func recording(t testing.TB) string { return filepath.Join(t.TempDir(), "run.timeline") }

func readTimeline(t *testing.T, path string) []*timeline.Loop {
	file, err := timeline.ReadFile(path)
	require.NoError(t, err)
	assert.Zero(t, file.Torn)
	return file.Loops
}

// checkRecords checks that all n items are there once with a state, each in a
// slot that there is, that a slot does one thing at a time, and that no time is
// outside the loop.
func checkRecords(t *testing.T, l *timeline.Loop, n int) {
	t.Helper()
	require.True(t, l.Ended, l.Kind)
	got := map[int]int{}
	for i, r := range l.Records {
		assert.LessOrEqual(t, r.End(), l.Elapsed+10*time.Millisecond) // the clocks of two ranks
		if r.State.IsItem() {
			got[r.Index]++
			assert.Less(t, int(r.Slot), l.Ranks[r.Rank].Slots)
		}
		if i == 0 {
			continue
		}
		if before := l.Records[i-1]; before.Rank == r.Rank && before.Slot == r.Slot && before.State != timeline.Body && r.State != timeline.Body {
			assert.LessOrEqual(t, before.End(), r.Start+10*time.Microsecond)
		}
	}
	assert.Equal(t, once(n), got)
}

func inState(l *timeline.Loop, s timeline.State) (n int) {
	for _, r := range l.Records {
		if r.State == s {
			n++
		}
	}
	return n
}

func TestTimelineOfLoops(t *testing.T) {
	work := func(ctx context.Context, n int) (int, error) {
		time.Sleep(10 * time.Microsecond)
		return n, nil
	}
	drain := func(results func(func(Result[int], error) bool)) error {
		for _, err := range results {
			if err != nil {
				return err
			}
		}
		return nil
	}
	const n = 500
	loops := map[string]struct {
		run func(ctx context.Context, c *Comm, o LoopOption) error
	}{
		opSplit: {func(ctx context.Context, c *Comm, o LoopOption) error {
			for _, err := range SplitManaged(ctx, c, numbers(n), o) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		opMap: {func(ctx context.Context, c *Comm, o LoopOption) error {
			return drain(MapUnordered(ctx, c, numbers(n), work, o, Slots(3), RootWorks()))
		}},
		opFromRoot: {func(ctx context.Context, c *Comm, o LoopOption) error {
			return drain(MapFromRoot(ctx, c, slices.Values(numbers(n)), work, o, Slots(2)))
		}},
		opExecute: {func(ctx context.Context, c *Comm, o LoopOption) error {
			f := NewFunc("work", work)
			return Execute(ctx, c, func(ctx context.Context, ex *Executor) error {
				for i := range n {
					f.Submit(ex, i)
				}
				return nil
			}, f, o)
		}},
	}
	for kind, loop := range loops {
		for _, size := range []int{1, 3} {
			path := recording(t)
			for _, err := range eachRank(t, size, true, func(ctx context.Context, c *Comm) error { return loop.run(ctx, c, Timeline(path)) }) {
				require.NoError(t, err)
			}
			all := readTimeline(t, path)
			require.Len(t, all, 1, kind)
			l := all[0]
			assert.Equal(t, kind, l.Kind)
			assert.Len(t, l.Ranks, size)
			assert.Positive(t, l.Elapsed)
			assert.WithinDuration(t, time.Now(), l.Began, time.Minute)
			checkRecords(t, l, n)
			if size > 1 {
				assert.Positive(t, inState(l, timeline.Waiting), kind)
				assert.Equal(t, kind == opMap || kind == opFromRoot, inState(l, timeline.Body) > 0, kind)
			}
		}
	}
}

func TestTimelineOfOneSlot(t *testing.T) {
	path := recording(t)
	fail := func(_ context.Context, n int) (int, error) {
		switch n {
		case 3:
			return 0, errOdd
		case 5:
			panic("at the disco")
		}
		return n, nil
	}
	require.NoError(t, Run(t.Context(), 1, func(ctx context.Context, c *Comm) error {
		for range MapUnordered(ctx, c, numbers(7), fail, OnError(Continue), Timeline(path), Progress("trouble")) {
			continue
		}
		return nil
	}))
	l := readTimeline(t, path)[0]
	checkRecords(t, l, 7)
	assert.Equal(t, "trouble", l.Label)
	assert.Equal(t, 7, l.Items)
	assert.Equal(t, []int{5, 1, 1}, []int{inState(l, timeline.Done), inState(l, timeline.Failed), inState(l, timeline.Crashed)})
}

// Each attempt is there, and why the loop has ended.
func TestTimelineOfFailures(t *testing.T) {
	path := recording(t)
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		work := func(_ context.Context, n int) (int, error) { return n, errOdd }
		var last error
		for _, err := range MapUnordered(ctx, c, numbers(1), work, Retries(2), Timeline(path)) {
			last = err
		}
		return last
	})
	require.ErrorContains(t, errs[0], errOdd.Error())
	l := readTimeline(t, path)[0]
	assert.Equal(t, 3, inState(l, timeline.Failed))
	assert.Contains(t, l.Err, "the last of 3 attempts")
}

// What a lost rank has done before is there, and what it was lost with.
func TestTimelineOfALoss(t *testing.T) {
	path := recording(t)
	job := startBreakable(t, 3, nil)
	var before atomic.Int32
	errs := job.run(func(c *Comm) error {
		work := func(_ context.Context, n int) (int, error) {
			if c.Rank() == 2 && before.Add(1) == 4 {
				job.cut(2)
				c.ame.AwaitLost(context.Background(), 0)
			}
			time.Sleep(50 * time.Millisecond) // so long that a rank has one at a time
			return n, nil
		}
		for _, err := range MapUnordered(context.Background(), c, numbers(12), work, Timeline(path)) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, errs[0])
	l := readTimeline(t, path)[0]
	checkRecords(t, l, 12)
	require.Len(t, l.Losses, 1)
	loss := l.Losses[0]
	assert.Equal(t, 2, loss.Rank)
	assert.NotEmpty(t, loss.Held)
	assert.Contains(t, loss.Why, "rank 2")
	assert.True(t, slices.ContainsFunc(l.Records, func(r timeline.Record) bool { return r.Rank == 2 && r.State.IsItem() }))
	assert.Less(t, loss.At, l.Elapsed)
}

// A loop that rank 0 leaves early is recorded to the end of all ranks.
func TestTimelineOfABreak(t *testing.T) {
	path := recording(t)
	require.NoError(t, Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
		for r, err := range MapUnordered(ctx, c, numbers(1000), square, Timeline(path)) {
			if err != nil {
				return err
			}
			if r.Index >= 0 {
				break
			}
		}
		return nil
	}))
	l := readTimeline(t, path)[0]
	assert.True(t, l.Ended)
	assert.Empty(t, l.Err)
	assert.Positive(t, inState(l, timeline.Done))
}

func TestTimelineVariable(t *testing.T) {
	path, other := recording(t), recording(t)
	t.Setenv(timelineVariable, path)
	require.NoError(t, Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
		if err := mapOf(ctx, c, 1); err != nil {
			return err
		}
		for _, err := range SplitManaged(ctx, c, numbers(4), Timeline(other)) {
			if err != nil {
				return err
			}
		}
		d, err := c.Dup(ctx)
		if err != nil {
			return err
		}
		return errors.Join(mapOf(ctx, d, ""), d.Close())
	}))
	loops := readTimeline(t, path)
	require.Len(t, loops, 2)
	assert.Equal(t, []int{5, 5}, []int{loops[0].Items, loops[1].Items})
	assert.Equal(t, 4, readTimeline(t, other)[0].Items)
}

// A file that cannot be used is an error on all ranks before any work.
func TestTimelineRefused(t *testing.T) {
	path := recording(t)
	require.NoError(t, os.WriteFile(path, []byte("a letter"), 0o600))
	for _, size := range []int{1, 3} {
		for _, err := range eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			for range MapUnordered(ctx, c, numbers(3), func(context.Context, int) (int, error) {
				t.Error("work was begun")
				return 0, nil
			}, Timeline(path)) {
				continue
			}
			for _, err := range SplitManaged(ctx, c, numbers(3), Timeline(path)) {
				return err
			}
			return nil
		}) {
			assert.ErrorContains(t, err, "is no timeline: use another name")
		}
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "a letter", string(text))
}
