package dlp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// travelled is err as another rank gets it.
func travelled(err error) error { return parseError(appendError(nil, err, 0)) }

func TestErrorsTravel(t *testing.T) {
	_, missing := os.Open("/does/not/exist")
	stack := []byte("goroutine 1 [running]:\nmain.main()")
	item := &ItemError{Index: 7, Rank: 2, Host: "node2", Err: fmt.Errorf("reading: %w", missing), Stack: stack}
	tests := map[string]struct {
		err  error
		is   []error
		item bool
	}{
		"text":        {errors.New("disk full\nand more"), nil, false},
		"file":        {missing, []error{fs.ErrNotExist}, false},
		"lost":        {fmt.Errorf("x: %w", ErrLost), []error{ErrLost}, false},
		"all kinds":   {errors.Join(kinds()...), kinds(), false},
		"item":        {item, []error{fs.ErrNotExist}, true},
		"joined":      {errors.Join(errors.New("first"), &Error{"map", 1, item}, ErrAborted), []error{ErrAborted, fs.ErrNotExist}, true},
		"item inside": {&ItemError{Index: 1, Err: item}, []error{fs.ErrNotExist}, true},
	}
	for name, test := range tests {
		got := travelled(travelled(test.err))
		assert.Equal(t, strings.ReplaceAll(test.err.Error(), "\n"+string(stack), ""), got.Error(), name)
		for _, kind := range kinds() {
			assert.Equal(t, errors.Is(test.err, kind), errors.Is(got, kind), "%s: %v", name, kind)
		}
		for _, kind := range test.is {
			assert.ErrorIs(t, got, kind, name)
		}
		var was, is *ItemError
		require.Equal(t, test.item, errors.As(got, &is), name)
		if errors.As(test.err, &was) {
			assert.Equal(t, []any{was.Index, was.Rank, was.Host}, []any{is.Index, is.Rank, is.Host}, name)
			assert.Nil(t, is.Stack, "%s: it is printed once", name)
		}
	}
}

func FuzzParseError(f *testing.F) {
	f.Add(appendError(nil, &ItemError{Index: 1, Rank: 2, Host: "h", Err: ErrLost}, 0))
	f.Add([]byte{0, 3, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		err := parseError(b)
		require.Error(t, err)
		assert.Equal(t, err.Error(), travelled(err).Error())
	})
}

// Whatever ends a loop or a collective is the same error on every rank.
func TestErrorsKeepTheirIdentityOnEveryRank(t *testing.T) {
	left := make(chan struct{}) // rank 1, by its context
	missing := func(context.Context, int) (int, error) { return 0, fs.ErrNotExist }
	tests := []struct {
		name string
		body func(ctx context.Context, c *Comm) error
		want error
	}{
		{"error of work", func(ctx context.Context, c *Comm) error {
			for _, err := range MapUnordered(ctx, c, numbers(10), missing) {
				return err
			}
			return nil
		}, fs.ErrNotExist},
		{"context of one rank", func(ctx context.Context, c *Comm) error {
			if c.Rank() == 1 {
				defer close(left)
			}
			inLoop, cancel := context.WithCancel(ctx)
			defer cancel()
			for _, err := range SplitManaged(inLoop, c, numbers(10)) {
				if err != nil {
					return err
				}
				if c.Rank() == 1 {
					cancel()
				} else {
					<-left
				}
			}
			return nil
		}, context.Canceled},
		{"call on root", func(ctx context.Context, c *Comm) error {
			_, err := CallOnRoot(ctx, c, func() (int, error) { return 0, fs.ErrPermission })
			return err
		}, fs.ErrPermission},
		{"other loops", func(ctx context.Context, c *Comm) error {
			for _, err := range SplitManaged(ctx, c, numbers(10+c.Rank())) {
				return err
			}
			return nil
		}, ErrMismatch},
		{"abort", func(ctx context.Context, c *Comm) error {
			if c.Rank() == 2 {
				c.Abort(errors.New("disk full"))
			}
			return c.Barrier(ctx)
		}, ErrAborted},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for rank, err := range eachRank(t, 3, false, test.body) {
				assert.ErrorIs(t, err, test.want, "rank %d", rank)
			}
		})
	}
}

func TestItemErrorOnEveryRank(t *testing.T) {
	errs := eachRank(t, 3, true, func(ctx context.Context, c *Comm) error {
		work := func(_ context.Context, n int) (int, error) {
			if n == 3 {
				panic("boom")
			}
			return n, nil
		}
		for _, err := range MapUnordered(ctx, c, numbers(10), work) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	for rank, err := range errs {
		var item *ItemError
		if assert.ErrorAs(t, err, &item, "rank %d", rank) {
			assert.Equal(t, 3, item.Index)
		}
		assert.Equal(t, rank == 0, strings.Contains(err.Error(), "goroutine "), "the stack is printed once")
		assert.Equal(t, rank != 0, !strings.Contains(err.Error(), "\n"), "one line elsewhere")
	}
}

func TestLostRankIsErrLost(t *testing.T) {
	job := startBreakable(t, 3, nil)
	errs := job.run(func(c *Comm) error {
		if c.Rank() == 2 {
			job.cut(2)
		}
		_, err := Gather(context.Background(), c, 1)
		if err == nil {
			err = c.Barrier(context.Background())
		}
		return err
	})
	for rank, err := range errs {
		assert.ErrorIs(t, err, ErrLost, "rank %d", rank)
	}
}

// However many items panic, one stack is printed.
func TestOneStackIsKept(t *testing.T) {
	errs := eachRank(t, 4, true, func(ctx context.Context, c *Comm) error {
		var err error
		for _, err = range MapUnordered(ctx, c, numbers(3), func(context.Context, int) (int, error) { panic("boom") }) {
			continue
		}
		return err
	})
	assert.Equal(t, 1, strings.Count(errs[0].Error(), "runtime/debug.Stack()"), "%v", errs[0])
	for _, err := range errs[1:] {
		assert.NotContains(t, err.Error(), "goroutine ")
	}
}
