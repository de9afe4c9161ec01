package dlp

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Errors of tasks that nobody has asked for are those of Execute, on all ranks.
func TestExecuteReportsWhatNobodyAsked(t *testing.T) {
	for _, size := range []int{1, 3} {
		errs := executes(t, size, func(ctx context.Context, ex *Executor, f funcs) error {
			_, err := f.fail.Submit(ex, "error").Result(ctx)
			assert.Error(t, err)
			f.fail.Submit(ex, "fine")
			f.fail.Submit(ex, "error")
			f.fail.Submit(ex, "panic").Cancel()
			for future := range AsCompleted(ctx, f.fail.Submit(ex, "panic")) {
				<-future.Done() // is not to ask
			}
			return nil
		})
		for rank, err := range errs {
			require.ErrorContains(t, err, "tasks have failed whose results nobody has asked for: ", "rank %d of %d", rank, size)
			assert.ErrorContains(t, err, "item 2 on rank ")
			assert.ErrorContains(t, err, "item 4 on rank ")
			assert.NotContains(t, err.Error(), "item 0 ")
			assert.NotContains(t, err.Error(), "item 3 ")
			var item *ItemError
			assert.ErrorAs(t, err, &item)
		}
	}
}

// Many such errors are counted, and those of Map and of futures that were asked are
// none.
func TestExecuteReportsNotTooMuch(t *testing.T) {
	errs := executes(t, 3, func(ctx context.Context, ex *Executor, f funcs) error {
		for range 300 {
			_, err := f.fail.Submit(ex, "error").Result(ctx)
			assert.Error(t, err)
		}
		for range 100 {
			f.fail.Submit(ex, "error")
		}
		return nil
	})
	for _, err := range errs {
		require.ErrorContains(t, err, "and 80 more")
		assert.Equal(t, 20, strings.Count(err.Error(), errOdd.Error()))
	}
	errs = executes(t, 3, func(ctx context.Context, ex *Executor, f funcs) error {
		for _, err := range f.fail.Map(ctx, ex, func(yield func(string) bool) {
			for yield("error") {
				continue
			}
		}, 10) {
			assert.Error(t, err)
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
}
