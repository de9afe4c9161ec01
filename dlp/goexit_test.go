package dlp

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A body that ends by runtime.Goexit, as t.FailNow does, ends its program with
// a line that says so: nothing else would.
func TestGoexitEndsTheRank(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		exited := make(chan int, 1)
		p := mainRank{name: "prog", stderr: &out, exit: func(status int) { exited <- status }}
		err := Run(t.Context(), 1, func(ctx context.Context, c *Comm) error {
			var body sync.WaitGroup
			body.Add(1)
			go func() {
				defer body.Done()
				_ = p.call(ctx, c, func(context.Context, *Comm) error {
					runtime.Goexit()
					return nil
				})
			}()
			body.Wait()
			return nil
		})
		require.NoError(t, err)
		time.Sleep(goexitWait)
		assert.Equal(t, 1, <-exited)
		assert.Regexp(t, `^prog: rank 0 on .*: the body of Main has ended by runtime.Goexit\n$`, out.String())
	})
}

// aside runs f in a goroutine of its own, which a Goexit ends.
func aside(f func()) {
	var wg sync.WaitGroup
	wg.Go(f)
	wg.Wait()
}

// The other ranks are told that it was no panic: nothing is printed where it was.
func TestGoexitIsNotCalledAPanic(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, c *Comm) error{
		"function of CallOnRoot": func(ctx context.Context, c *Comm) error {
			_, err := CallOnRoot(ctx, c, func() (int, error) { runtime.Goexit(); return 0, nil })
			return err
		},
		"body of MapUnordered": func(ctx context.Context, c *Comm) error {
			for _, err := range MapUnordered(ctx, c, numbers(200_000), square) {
				if err != nil {
					return err
				}
				runtime.Goexit()
			}
			return nil
		},
		"body of Main": func(ctx context.Context, c *Comm) error {
			if c.IsRoot() {
				p := mainRank{name: "prog", stderr: new(bytes.Buffer), exit: func(int) {}}
				return p.call(ctx, c, func(context.Context, *Comm) error { runtime.Goexit(); return nil })
			}
			return c.Barrier(ctx)
		},
	} {
		errs := eachRank(t, 3, false, func(ctx context.Context, c *Comm) (err error) {
			aside(func() { err = call(ctx, c) })
			return err
		})
		assert.NoError(t, errs[0], "%s: it has not returned", name)
		for _, err := range errs[1:] {
			assert.ErrorContains(t, err, "rank 0 on ", name)
			assert.ErrorContains(t, err, "runtime.Goexit, as t.FailNow does", name)
			assert.NotContains(t, err.Error(), "panic", name)
		}
	}
	err := Run(t.Context(), 2, func(context.Context, *Comm) error { runtime.Goexit(); return nil })
	assert.ErrorContains(t, err, "runtime.Goexit, as t.FailNow does")
}
