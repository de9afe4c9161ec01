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
