package dlp

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What waits for a slow body on rank 0 is bounded, whoever has worked on it and
// whatever it is.
func TestBacklogOfRank0(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int32
		release := make(chan struct{})
		require.NoError(t, Run(t.Context(), 2, func(ctx context.Context, c *Comm) error {
			work := func(context.Context, int) ([][]byte, error) {
				if done.Add(1); !c.IsRoot() {
					<-release // rank 0 does the others
				}
				time.Sleep(time.Second)
				return [][]byte{make([]byte, 1<<20), make([]byte, 1<<20)}, nil
			}
			for r, err := range MapUnordered(ctx, c, numbers(1000), work, RootWorks()) {
				if err != nil {
					return err
				}
				assert.Equal(t, 0, r.Rank)
				synctest.Wait() // all that is handed out is done
				assert.Less(t, int(done.Load()), 64, "2 MiB each")
				close(release)
				break
			}
			return nil
		}))
	})
}
