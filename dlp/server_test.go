package dlp

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A rank that was sent home may close before the goroutine that has sent it
// there counts that. It is no rank that is missing in the loop.
func TestServerOutlivesARankSentHome(t *testing.T) {
	for _, sentHome := range []bool{true, false} {
		errs := eachRank(t, 2, false, func(ctx context.Context, c *Comm) error {
			backend, err := c.ame.Dup(ctx)
			if err != nil || !c.IsRoot() {
				return err // and closes
			}
			s := newServer(c, backend, newManager(2, 1, false), Stop)
			if sentHome {
				s.m.leave(1)
			}
			s.run()
			return s.err()
		})
		require.NoError(t, errs[1])
		if sentHome {
			assert.NoError(t, errs[0])
		} else {
			assert.ErrorContains(t, errs[0], "has closed its communicator")
		}
	}
}
