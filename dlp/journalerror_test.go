package dlp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type point struct{ X, Y float64 }

type unknowable struct{ P *int }

// What makes a journal unusable is an error on all ranks before any work.
func TestJournalRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	ten := numbers(10)
	errs, _ := loopWith(t, 2, ten, square, Journal(path, JournalVersion("1")), Progress("label"))
	require.NoError(t, errors.Join(errs...))
	never := func(_ context.Context, n int) (int, error) { return 0, errors.New("work has begun") }
	key := Key(func(n int) string { return fmt.Sprint(n) })
	label, same := Progress("label"), Journal(path, JournalVersion("1"))
	for want, opts := range map[string][]MapOption{
		`its version is "1", this loop's is "2"`:                              {label, Journal(path, JournalVersion("2"))},
		`its label is "label", this loop's is "other"`:                        {Progress("other"), same},
		`its way to identify items is "all of an item", this loop's is "Key"`: {label, same, key},
		"no such file or directory":                                           {label, Journal(filepath.Join(path+"s", "x"))},
		"is a directory":                                                      {label, Journal(filepath.Dir(path))},
		"JournalRedo is a func(string) bool, but the loop's results are":      {label, Journal(path, JournalVersion("1"), JournalRedo(func(string) bool { return true }))},
	} {
		for _, size := range []int{1, 3} {
			errs, got := loopWith(t, size, ten, never, opts...)
			assert.Empty(t, got)
			for rank, err := range errs {
				assert.ErrorContains(t, err, want, "rank %d of %d", rank, size)
			}
		}
	}
	errs, _ = loopWith(t, 2, ten, func(context.Context, int) (point, error) { return point{}, errOdd }, label, same)
	assert.ErrorContains(t, errs[1], `its type of the results is "int", this loop's is "github.com/dlp-mpi/dlp-go/dlp.point struct{X float64; Y float64}"`)
	errs, _ = loopWith(t, 2, []unknowable{{}}, func(context.Context, unknowable) (int, error) { return 0, errOdd }, Journal(path+"2"))
	assert.ErrorContains(t, errs[0], "say with dlp.Key what each is known by")
	sequence := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		for _, err := range MapUnorderedSeq(ctx, c, slices.Values(ten), square, Journal(path)) {
			return err
		}
		return nil
	})
	assert.ErrorContains(t, sequence[1], "in place of MapUnorderedSeq")
}

// One range at a time uses a file.
func TestJournalIsLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	errs := eachRank(t, 2, true, func(ctx context.Context, c *Comm) error {
		d, err := c.Dup(ctx)
		if err != nil {
			return err
		}
		defer d.Close()
		var second error
		var once sync.WaitGroup
		begun := make(chan struct{})
		begin := sync.OnceFunc(func() { close(begun) })
		once.Go(func() {
			if c.IsRoot() {
				<-begun
			}
			for _, err := range MapUnordered(ctx, d, numbers(3), square, Journal(path)) {
				second = err
			}
		})
		for _, err := range MapUnordered(ctx, c, numbers(3), square, Journal(path)) {
			if err != nil {
				return err
			}
			if c.IsRoot() {
				begin()
				once.Wait()
			}
		}
		once.Wait()
		return second
	})
	for _, err := range errs {
		assert.ErrorContains(t, err, "another job, or another loop of this one, has it open")
	}
}

// When the disk is full the loop ends, and what was yielded is safe.
func TestJournalOnAFullDisk(t *testing.T) {
	for _, size := range []int{1, 3} {
		path := filepath.Join(t.TempDir(), "run.journal")
		var limit syscall.Rlimit
		require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
		small := limit
		small.Cur = 120_000 // more than rank 0 writes at once
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small))
		errs, got := loopWith(t, size, numbers(100_000), square, Journal(path))
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
		for _, err := range errs {
			require.ErrorContains(t, err, "file too large")
			assert.ErrorContains(t, err, fmt.Sprintf("%d finished items are safe in it", len(got)))
		}
		assert.NotEmpty(t, got)
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.LessOrEqual(t, info.Size(), int64(120_000))

		errs, again := loopWith(t, size, numbers(4000), square, Journal(path))
		require.NoError(t, errors.Join(errs...))
		for i, r := range again {
			_, before := got[i]
			assert.Equal(t, before, r.Resumed, "item %d", i)
			assert.Equal(t, i*i, r.Value)
		}
		assert.Len(t, again, 4000)
	}
}
