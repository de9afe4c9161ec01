package dlp

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// funcs are what a rank gives to Execute.
type funcs struct {
	square *Func[int, int]
	length *Func[string, int]
	fail   *Func[string, []byte]
}

func newFuncs() funcs {
	return funcs{
		square: NewFunc("square", square),
		length: NewFunc("length", func(_ context.Context, s string) (int, error) { return len(s), nil }),
		fail: NewFunc("fail", func(ctx context.Context, how string) ([]byte, error) {
			switch how {
			case "error":
				return nil, errOdd
			case "panic":
				panic("odd one out")
			case "wait":
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return []byte(how), nil
		}),
	}
}

// executes runs body on rank 0 of so many ranks and returns what Execute has
// returned on each.
func executes(t *testing.T, size int, body func(ctx context.Context, ex *Executor, f funcs) error, opts ...ExecuteOption) []error {
	t.Helper()
	return eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
		f := newFuncs()
		all := append([]ExecuteOption{f.square, f.fail, f.length}, opts...)
		return Execute(ctx, c, func(ctx context.Context, ex *Executor) error { return body(ctx, ex, f) }, all...)
	})
}

func TestExecute(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5} {
		for _, opts := range [][]ExecuteOption{nil, {Slots(3)}, {RootWorks()}} {
			errs := executes(t, size, func(ctx context.Context, ex *Executor, f funcs) error {
				var squares []*Future[int]
				for i := range 200 {
					squares = append(squares, f.square.Submit(ex, i))
				}
				text := f.length.Submit(ex, string(make([]byte, 300_000)))
				for i, future := range squares {
					got, err := future.Result(ctx)
					require.NoError(t, err)
					assert.Equal(t, i*i, got)
				}
				n, err := text.Result(ctx)
				assert.Equal(t, 300_000, n)
				again, _ := text.Result(ctx)
				assert.Equal(t, n, again)
				return err
			}, opts...)
			require.NoError(t, errors.Join(errs...), "%d ranks", size)
		}
	}
}

// Errors and panics are results; the executor goes on.
func TestExecuteTasksThatFail(t *testing.T) {
	for _, size := range []int{1, 3} {
		errs := executes(t, size, func(ctx context.Context, ex *Executor, f funcs) error {
			tasks := map[string]*Future[[]byte]{}
			for i, how := range []string{"error", "panic", "fine"} {
				tasks[how] = f.fail.Submit(ex, how)
				assert.Equal(t, i, tasks[how].index)
			}
			for how, task := range tasks {
				got, err := task.Result(ctx)
				if how == "fine" {
					assert.NoError(t, err)
					assert.Equal(t, "fine", string(got))
					continue
				}
				var item *ItemError
				require.ErrorAs(t, err, &item)
				assert.ErrorContains(t, err, "odd one out")
				assert.Equal(t, task.index, item.Index)
				assert.Equal(t, how == "panic", item.Stack != nil)
			}
			_, err := f.fail.Submit(ex, "wait", TaskTimeout(1)).Result(ctx)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			unknown := NewFunc("unknown", square)
			_, err = unknown.Submit(ex, 1).Result(ctx)
			assert.ErrorContains(t, err, "not given to Execute")
			return nil
		})
		require.NoError(t, errors.Join(errs...))
	}
}

// Tasks that nobody waits for are done before Execute returns, and an executor
// that is over takes no more.
func TestExecuteWaitsForTasks(t *testing.T) {
	for _, size := range []int{1, 3} {
		var done tally
		errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
			f := NewFunc("note", func(_ context.Context, i int) (int, error) {
				done.add(i)
				return i, nil
			})
			var kept *Executor
			var last *Future[int]
			err := Execute(ctx, c, func(_ context.Context, ex *Executor) error {
				kept = ex
				for i := range 100 {
					last = f.Submit(ex, i)
				}
				return nil
			}, f)
			if c.IsRoot() {
				got, err := last.Result(ctx)
				assert.NoError(t, err)
				assert.Equal(t, 99, got)
				_, err = f.Submit(kept, 1).Result(ctx)
				assert.ErrorContains(t, err, "this executor is over")
			} else {
				assert.Nil(t, kept)
				_, err := f.Submit(nil, 1).Result(ctx)
				assert.ErrorContains(t, err, "this executor is over")
			}
			return err
		})
		require.NoError(t, errors.Join(errs...))
		assert.Equal(t, once(100), done.counts)
	}
}

// However body ends early: futures that are left get the reason, and so do all
// ranks.
func TestExecuteEndsEarly(t *testing.T) {
	ends := map[string]struct {
		end  func(cancel func()) error
		want string
	}{
		"error":  {func(func()) error { return errOdd }, "odd one out"},
		"panic":  {func(func()) error { panic("odd one out") }, "left the body of Execute"},
		"goexit": {func(func()) error { runtime.Goexit(); return nil }, "left the body of Execute"},
		"ctx":    {func(cancel func()) error { cancel(); return nil }, "context canceled"},
	}
	for name, end := range ends {
		for _, size := range []int{1, 3} {
			var left *Future[int]
			ended := make(chan struct{}) // Execute on rank 0
			errs := eachRank(t, size, true, func(ctx context.Context, c *Comm) (err error) {
				ctx, cancel := context.WithCancel(ctx)
				f := newFuncs()
				wait := NewFunc("wait", func(ctx context.Context, n int) (int, error) {
					select {
					case <-ended:
					case <-ctx.Done():
					}
					return n, ctx.Err()
				})
				var running sync.WaitGroup
				running.Go(func() {
					defer func() { _ = recover() }()
					err = Execute(ctx, c, func(ctx context.Context, ex *Executor) error {
						for range 50 {
							f.square.Submit(ex, 1)
						}
						for range 10 {
							left = wait.Submit(ex, 1) // some of them are not done when body ends
						}
						return end.end(cancel)
					}, f.square, wait)
				})
				running.Wait()
				if c.IsRoot() {
					close(ended)
				}
				cancel()
				return err
			})
			if name != "goexit" && name != "panic" {
				assert.ErrorContains(t, errs[0], end.want, name)
			}
			for _, err := range errs[1:] {
				assert.ErrorContains(t, err, end.want, name)
			}
			select {
			case <-left.Done():
			default:
				t.Error("a future is left alone")
			}
			_, err := left.Result(t.Context())
			assert.Error(t, err)
		}
	}
}

func TestExecuteRefused(t *testing.T) {
	body := func(context.Context, *Executor) error { return nil }
	run := func(opts func(c *Comm) []ExecuteOption) func(context.Context, *Comm) error {
		return func(ctx context.Context, c *Comm) error { return Execute(ctx, c, body, opts(c)...) }
	}
	tests := map[string]struct {
		run  func(ctx context.Context, c *Comm) error
		want string
		one  bool // also with one rank
	}{
		"names": {run(func(c *Comm) []ExecuteOption {
			return []ExecuteOption{NewFunc(fmt.Sprint("f", c.Rank()/2), square), NewFunc("g", square)}
		}), `execute with f0\(int\) int, g\(int\) int on ranks 0-1; execute with f1\(int\) int, g\(int\) int on rank 2`, false},
		"types": {func(ctx context.Context, c *Comm) error {
			if c.IsRoot() {
				return Execute(ctx, c, body, NewFunc("f", square))
			}
			return Execute(ctx, c, nil, NewFunc("f", func(context.Context, string) (int, error) { return 0, nil }))
		}, `f\(int\) int on rank 0; execute with f\(string\) int on ranks 1-2`, false},
		"twice": {run(func(*Comm) []ExecuteOption { return []ExecuteOption{NewFunc("f", square), NewFunc("f", square)} }), `two functions of the name "f"`, true},
		"slots": {run(func(*Comm) []ExecuteOption { return []ExecuteOption{Slots(-1)} }), "at least one item", true},
		"travel": {run(func(*Comm) []ExecuteOption {
			return []ExecuteOption{NewFunc("f", func(context.Context, closedBook) (int, error) { return 0, nil })}
		}), "closedBook.x is unexported", true},
		"loop": {func(ctx context.Context, c *Comm) error {
			if c.Rank() == 1 {
				return mapOf(ctx, c, 1)
			}
			return Execute(ctx, c, body)
		}, "execute with no functions on ranks 0,2; map over 5 items on rank 1", false},
	}
	for name, test := range tests {
		for _, size := range []int{1, 3} {
			for _, err := range eachRank(t, size, true, test.run) {
				if size > 1 || test.one {
					assert.Regexp(t, test.want, fmt.Sprint(err), name)
				}
			}
		}
	}
	assert.ErrorContains(t, eachRank(t, 1, true, func(ctx context.Context, c *Comm) error { return Execute(ctx, c, nil) })[0], "rank 0 has no body")
}

// The order of the functions does not matter.
func TestExecuteOrderOfFuncs(t *testing.T) {
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		f := newFuncs()
		opts := []ExecuteOption{f.square, f.length, f.fail}
		if !c.IsRoot() {
			slices.Reverse(opts)
		}
		return Execute(ctx, c, func(ctx context.Context, ex *Executor) error {
			n, err := f.length.Submit(ex, "abc").Result(ctx)
			assert.Equal(t, 3, n)
			return err
		}, opts...)
	})
	require.NoError(t, errors.Join(errs...))
}
