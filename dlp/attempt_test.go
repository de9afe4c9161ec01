package dlp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Work that fails twice at each item is done at the third attempt, elsewhere if
// there is another rank.
func TestRetries(t *testing.T) {
	for _, size := range []int{1, 2, 3} {
		for _, form := range mapForms() {
			var mu sync.Mutex
			attempts := map[int][]int{} // ranks by item
			got := map[int]int{}
			errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
				work := func(ctx context.Context, n int) (int, error) {
					mu.Lock()
					defer mu.Unlock()
					attempts[n] = append(attempts[n], c.Rank())
					if assert.Equal(t, len(attempts[n]), Attempt(ctx)); Attempt(ctx) < 3 {
						return 0, errOdd
					}
					return n, nil
				}
				for r, err := range form.loop(ctx, c, 50, work, Retries(2)) {
					if err != nil {
						return err
					}
					got[r.Value]++
				}
				return nil
			})
			require.NoError(t, errors.Join(errs...), form.name)
			assert.Equal(t, once(50), got)
			for _, ranks := range attempts {
				require.Len(t, ranks, 3)
				if size == 3 && form.name == "slice" {
					assert.True(t, ranks[0] != ranks[1] && ranks[1] != ranks[2], "%v", ranks)
				}
			}
		}
	}
}

type mapForm struct {
	name string
	loop func(ctx context.Context, c *Comm, n int, work func(context.Context, int) (int, error), opts ...MapOption) func(yield func(Result[int], error) bool)
}

func mapForms() []mapForm {
	return []mapForm{
		{"slice", func(ctx context.Context, c *Comm, n int, work func(context.Context, int) (int, error), opts ...MapOption) func(yield func(Result[int], error) bool) {
			return MapUnordered(ctx, c, numbers(n), work, opts...)
		}},
		{"sequence", func(ctx context.Context, c *Comm, n int, work func(context.Context, int) (int, error), opts ...MapOption) func(yield func(Result[int], error) bool) {
			return MapUnorderedSeq(ctx, c, func(yield func(int) bool) {
				for i := range n {
					if !yield(i) {
						return
					}
				}
			}, work, opts...)
		}},
	}
}

// When all attempts have failed, the last error counts.
func TestLastOfTheAttempts(t *testing.T) {
	for _, size := range []int{1, 3} {
		for _, form := range mapForms() {
			for _, policy := range []ErrorPolicy{Stop, Continue} {
				var item *ItemError
				errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
					work := func(ctx context.Context, n int) (int, error) {
						if n == 7 {
							return 0, fmt.Errorf("%w %d", errOdd, Attempt(ctx))
						}
						return n, nil
					}
					for r, err := range form.loop(ctx, c, 20, work, Retries(3), OnError(policy), RootWorks()) {
						if err != nil {
							return err
						}
						if r.Err != nil {
							item = r.Err.(*ItemError)
						}
					}
					return nil
				})
				if policy == Stop {
					require.ErrorAs(t, errs[0], &item)
					assert.ErrorContains(t, errs[size-1], "the last of 4 attempts: odd one out 4")
				}
				assert.Equal(t, 7, item.Index)
				assert.EqualError(t, item.Err, "the last of 4 attempts: odd one out 4", "%s on %d ranks", form.name, size)
			}
		}
	}
}

func TestItemTimeout(t *testing.T) {
	for _, size := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			require.NoError(t, Run(t.Context(), size, func(ctx context.Context, c *Comm) error {
				work := func(ctx context.Context, n int) (int, error) {
					switch n {
					case 0:
						<-ctx.Done()
						assert.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded)
						return 0, ctx.Err()
					case 1:
						<-ctx.Done()
						return 0, errOdd
					case 2:
						<-ctx.Done()
						return 0, nil // in time, one may say
					}
					time.Sleep(time.Second)
					return 0, nil
				}
				failed := map[int]string{}
				for r, err := range MapUnordered(ctx, c, numbers(10), work, ItemTimeout(time.Minute), OnError(Continue)) {
					if err != nil {
						return err
					}
					if r.Err != nil {
						assert.ErrorIs(t, r.Err, context.DeadlineExceeded)
						failed[r.Index] = r.Err.(*ItemError).Err.Error()
					}
				}
				if c.IsRoot() {
					assert.Equal(t, map[int]string{0: "the ItemTimeout of 1m0s is over", 1: "the ItemTimeout of 1m0s is over: odd one out"}, failed)
				}
				return nil
			}))
		})
	}
}

// captured returns what f writes to stderr.
func captured(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	stderr := os.Stderr
	os.Stderr = w
	text := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		text <- string(b)
	}()
	defer r.Close()
	f()
	os.Stderr = stderr
	w.Close()
	return <-text
}

// hangs is work that does not heed its ctx.
func hangs(release <-chan struct{}) { <-release }

// A rank whose work hangs is lost, with the stack of the item, and another one
// does the item.
func TestWorkThatHangs(t *testing.T) {
	job := startBreakable(t, 3, nil)
	release := make(chan struct{})
	got := map[int]int{}
	var hung int
	stderr := captured(t, func() {
		errs := job.run(func(c *Comm) error {
			c.exit = func(status int) {
				assert.Equal(t, 124, status)
				hung = c.Rank()
				job.cut(c.Rank())
				c.ame.AwaitLost(context.Background(), 0)
				close(release)
			}
			work := func(ctx context.Context, n int) (int, error) {
				if n == 3 && Attempt(ctx) == 1 {
					hangs(release)
				}
				return n, nil
			}
			soon := mapOption(func(o *loopOptions) { o.overrun = time.Millisecond })
			for r, err := range MapUnordered(context.Background(), c, numbers(20), work, ItemTimeout(time.Second), soon) {
				if err != nil {
					return err
				}
				got[r.Value]++
			}
			return nil
		})
		for rank, err := range errs {
			assert.Equal(t, rank == hung, err != nil, "rank %d: %v", rank, err)
		}
	})
	assert.Equal(t, once(20), got)
	assert.Regexp(t, `^dlp: item 3 on rank \d \(node\d\) still runs, \S+ after its ctx has ended by the ItemTimeout of 1s; its rank ends:\ngoroutine \d+ \[chan receive.*\]:\n.*dlp\.hangs\(`, stderr)
	assert.NotContains(t, stderr, "TestMain(", "only that stack")
}

// On rank 0 it is reported.
func TestWorkThatHangsOnRank0(t *testing.T) {
	stderr := captured(t, func() {
		require.NoError(t, Run(t.Context(), 1, func(ctx context.Context, c *Comm) error {
			c.exit = func(int) { t.Error("rank 0 ends") }
			c.overrun(5, goroutine(), &loopOptions{timeout: time.Second, overrun: overrunWait})
			return nil
		}))
	})
	assert.Regexp(t, `^dlp: item 5 on rank 0 \(.*\) still runs, 10s after its ctx has ended by the ItemTimeout of 1s; the loop waits for it:\ngoroutine \d+ `, stderr)
}
