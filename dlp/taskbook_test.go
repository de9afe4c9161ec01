package dlp

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// executesWith runs body on rank 0 with the functions double and length, which
// count their calls.
func executesWith(t *testing.T, size int, calls *atomic.Int32, body func(ctx context.Context, ex *Executor, double *Func[int, int], length *Func[string, string]) error, opts ...ExecuteOption) []error {
	t.Helper()
	return eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
		double := NewFunc("double", func(_ context.Context, n int) (int, error) {
			calls.Add(1)
			if n < 0 {
				return 0, errOdd
			}
			return 2 * n, nil
		})
		length := NewFunc("length", func(_ context.Context, s string) (string, error) {
			calls.Add(1)
			return fmt.Sprint(len(s)), nil
		})
		all := append([]ExecuteOption{length, double}, opts...)
		return Execute(ctx, c, func(ctx context.Context, ex *Executor) error { return body(ctx, ex, double, length) }, all...)
	})
}

// Started again, tasks that are finished have their results from the file, in
// whatever order they are submitted, each of those that are equal once.
func TestExecuteResumes(t *testing.T) {
	for _, size := range []int{1, 2, 4} {
		for _, opts := range [][]ExecuteOption{nil, {RootWorks()}, {Slots(3)}, {Key(func(n int) string { return fmt.Sprint(n) })}} {
			path := filepath.Join(t.TempDir(), "run.journal")
			var calls atomic.Int32
			run := func(numbers []int, words ...string) (resumed int) {
				errs := executesWith(t, size, &calls, func(ctx context.Context, ex *Executor, double *Func[int, int], length *Func[string, string]) error {
					var doubled []*Future[int]
					for _, n := range numbers {
						doubled = append(doubled, double.Submit(ex, n))
					}
					var measured []*Future[string]
					for _, s := range words {
						measured = append(measured, length.Submit(ex, s))
					}
					for i, future := range doubled {
						got, err := future.Result(ctx)
						require.NoError(t, err)
						require.Equal(t, 2*numbers[i], got)
						if future.Resumed() {
							resumed++
						}
					}
					for i, future := range measured {
						got, err := future.Result(ctx)
						require.NoError(t, err)
						require.Equal(t, fmt.Sprint(len(words[i])), got)
						if future.Resumed() {
							resumed++
						}
					}
					return nil
				}, append(opts, Journal(path))...)
				require.NoError(t, errors.Join(errs...))
				return resumed
			}
			assert.Zero(t, run([]int{1, 2, 3, 2}, "a", "bb"))
			assert.EqualValues(t, 6, calls.Load())
			assert.Equal(t, 5, run([]int{9, 2, 2, 2, 1}, "bb", "a", "cc"))
			assert.EqualValues(t, 9, calls.Load(), "9, a third 2, and cc are new")
			assert.Equal(t, 9, run([]int{1, 2, 2, 2, 3, 9}, "cc", "bb", "a"))
			assert.EqualValues(t, 9, calls.Load())
		}
	}
}

// What was finished when the body left is kept, what has failed is not.
func TestExecuteJournalForgetsFailures(t *testing.T) {
	for _, size := range []int{1, 3} {
		path := filepath.Join(t.TempDir(), "run.journal")
		for start := range 2 {
			var calls atomic.Int32
			errs := executesWith(t, size, &calls, func(ctx context.Context, ex *Executor, double *Func[int, int], _ *Func[string, string]) error {
				good, bad := double.Submit(ex, 1), double.Submit(ex, -1)
				_, err := bad.Result(ctx)
				assert.ErrorContains(t, err, errOdd.Error())
				assert.False(t, bad.Resumed())
				_, err = good.Result(ctx)
				assert.Equal(t, start == 1, good.Resumed())
				return errors.Join(err, errStart)
			}, Journal(path))
			for _, err := range errs {
				assert.ErrorContains(t, err, errStart.Error())
			}
			assert.EqualValues(t, 2-start, calls.Load())
		}
	}
}

var errStart = errors.New("the end of a start")

// The program can have tasks done again, by their results.
func TestExecuteJournalRedo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	again := JournalRedo(func(s string) bool { return s == "2" })
	for start, want := range []int32{3, 1} {
		var calls atomic.Int32
		errs := executesWith(t, 2, &calls, func(ctx context.Context, ex *Executor, double *Func[int, int], length *Func[string, string]) error {
			double.Submit(ex, 2)
			length.Submit(ex, "a")
			_, err := length.Submit(ex, "bb").Result(ctx)
			return err
		}, Journal(path, again))
		require.NoError(t, errors.Join(errs...))
		assert.Equal(t, want, calls.Load(), "start %d", start)
	}
}

// What makes a journal unusable is an error on all ranks before any work.
func TestExecuteJournalRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	var calls atomic.Int32
	some := func(ctx context.Context, ex *Executor, double *Func[int, int], _ *Func[string, string]) error {
		_, err := double.Submit(ex, 1).Result(ctx)
		return err
	}
	require.NoError(t, errors.Join(executesWith(t, 2, &calls, some, Journal(path))...))
	calls.Store(0)
	more := NewFunc("more", func(_ context.Context, s string) (int, error) { return 0, nil })
	unknown := NewFunc("unknown", func(_ context.Context, s unknowable) (int, error) { return 0, nil })
	for want, opts := range map[string][]ExecuteOption{
		`its type of the items is "double(int), length(string)", this loop's is "double(int), length(string), more(string)"`: {Journal(path), more},
		`its version is "", this loop's is "2"`: {Journal(path, JournalVersion("2"))},
		`is "double by all of an item, length by all of an item", this loop's is "double by Key, length by all of`: {Journal(path), Key(func(int) string { return "" })},
		"no such file or directory": {Journal(filepath.Join(path+"s", "x"))},
		"a Key or a JournalRedo is a func(float64) string, which fits the arguments or results of no function":        {Journal(path), Key(func(float64) string { return "" })},
		"unknown: a Journal does not know items of type dlp.unknowable again: say with dlp.Key what each is known by": {Journal(path + "2"), unknown},
	} {
		for _, size := range []int{1, 3} {
			all := eachRank(t, size, true, func(ctx context.Context, c *Comm) error {
				double := NewFunc("double", square)
				length := NewFunc("length", func(_ context.Context, s string) (string, error) { return s, nil })
				return Execute(ctx, c, func(context.Context, *Executor) error { panic("the body has begun") }, slices.Concat([]ExecuteOption{double, length}, opts)...)
			})
			for rank, err := range all {
				assert.ErrorContains(t, err, want, "rank %d of %d", rank, size)
			}
		}
	}
}

// When the disk is full, the executor ends, and a future that is done is safe.
func TestExecuteJournalOnAFullDisk(t *testing.T) {
	for _, size := range []int{1, 3} {
		path := filepath.Join(t.TempDir(), "run.journal")
		var calls atomic.Int32
		run := func(n int, each func(i int, future *Future[int], err error)) []error {
			return executesWith(t, size, &calls, func(ctx context.Context, ex *Executor, double *Func[int, int], _ *Func[string, string]) error {
				var all []*Future[int]
				for i := range n {
					all = append(all, double.Submit(ex, i))
					if i < 10 { // some are in the file before the disk is full
						_, err := all[i].Result(ctx)
						require.NoError(t, err)
					}
				}
				for i, future := range all {
					_, err := future.Result(ctx)
					each(i, future, err)
				}
				return nil
			}, Journal(path))
		}
		var limit syscall.Rlimit
		require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
		small := limit
		small.Cur = 20_000
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small))
		safe := map[int]bool{}
		errs := run(20_000, func(i int, _ *Future[int], err error) {
			if err == nil {
				safe[i] = true
				return
			}
			require.ErrorContains(t, err, "file too large")
		})
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
		for _, err := range errs {
			assert.ErrorContains(t, err, fmt.Sprintf("file too large; %d finished items are safe in it", len(safe)))
		}
		assert.NotEmpty(t, safe)
		errs = run(1000, func(i int, future *Future[int], err error) {
			require.NoError(t, err)
			assert.Equal(t, safe[i], future.Resumed(), "task %d", i)
		})
		require.NoError(t, errors.Join(errs...))
	}
}
