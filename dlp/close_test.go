package dlp

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// After a panic or an error on rank 0, its Close does not wait for what the
// others are doing in the loop.
func TestCloseAfterAFailedLoopIsBounded(t *testing.T) {
	body := func(ctx context.Context, c *Comm, long func()) error {
		for _, err := range SplitManaged(ctx, c, numbers(10)) {
			if err != nil {
				return err
			}
			long()
		}
		return nil
	}
	bodyMap := func(ctx context.Context, c *Comm, long func()) error {
		work := func(_ context.Context, i int) (int, error) {
			if i > 0 { // rank 0's body needs a result
				long()
			}
			return i, nil
		}
		for _, err := range MapUnordered(ctx, c, numbers(10), work) {
			if err != nil {
				return err
			}
			long()
		}
		return nil
	}
	tests := map[string]struct {
		loop  func(ctx context.Context, c *Comm, long func()) error
		panic bool
	}{
		"panic in split":        {body, true},
		"panic in map":          {bodyMap, true},
		"end of ctx in a split": {body, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				job := startBreakable(t, 3, nil)
				started := make(chan struct{}) // rank 1
				over := make(chan struct{})    // for rank 0
				var closing error
				var took time.Duration
				errs := job.run(func(c *Comm) error {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if c.IsRoot() {
						defer func() {
							recover()
							start := time.Now()
							closing = c.Close()
							took = time.Since(start)
						}()
					}
					return test.loop(ctx, c, func() {
						switch c.Rank() {
						case 0:
							<-started
							close(over)
							if test.panic {
								panic("boom")
							}
							cancel()
						case 1:
							close(started)
							time.Sleep(10 * time.Hour)
						default:
							<-over // or rank 2 might do all items
						}
					})
				})
				assert.ErrorContains(t, closing, "5s after a loop has failed, these were still in it: rank 1, unfinished item")
				assert.LessOrEqual(t, took, 5*time.Second+closeExtra)
				assert.ErrorIs(t, errs[1], ErrAborted)
			})
		})
	}
}

// closeExtra is how long Close may take besides: to tell ranks that do not
// listen.
const closeExtra = 6 * time.Second

// A deferred Close that runs because of a panic keeps nobody waiting, rank 0's
// neither: the stack is to be seen now.
func TestCloseOfAPanickingRoot(t *testing.T) {
	b := startBreakable(t, 3, nil)
	errs := b.run(func(c *Comm) (err error) {
		if !c.IsRoot() {
			_, _, err = Recv[int](t.Context(), c, 3-c.Rank(), 1) // which the other one never sends
			return err
		}
		defer func() { assert.Equal(t, "boom", recover()) }()
		defer c.Close()
		panic("boom")
	})
	for _, err := range errs[1:] {
		assert.ErrorIs(t, err, ErrAborted)
		assert.ErrorContains(t, err, "left the program by a panic; its own output says why")
	}
}

// The last call of a program may end on rank 0 before others have begun it.
func TestRootClosesFirst(t *testing.T) {
	for range 20 {
		err := Run(t.Context(), 4, func(ctx context.Context, c *Comm) error {
			_, err := Scan(ctx, c, 1, Sum)
			return err
		})
		require.NoError(t, err)
		err = Run(t.Context(), 3, func(ctx context.Context, c *Comm) error {
			switch c.Rank() {
			case 1:
				return Send(ctx, c, "hello", 2, 0)
			case 2:
				_, _, err := Recv[string](ctx, c, AnySource, 0)
				return err
			}
			return nil
		})
		require.NoError(t, err)
	}
}
