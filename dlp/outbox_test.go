package dlp

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A Send waits for all that was queued before it, also when the last of that is
// withdrawn meanwhile.
func TestOutboxWaitsForAllThatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		letters := make([]*letter, 3)
		for i := range letters {
			letters[i] = &letter{request: &Request{peer: 1, done: make(chan struct{})}}
		}
		o.queues = map[int][]*letter{1: letters}
		waited := make(chan error, 1)
		go func() { waited <- o.wait(t.Context(), 1) }()
		synctest.Wait()
		first, last := letters[0].request, letters[2].request
		require.True(t, o.withdraw(last))
		close(last.done)
		synctest.Wait()
		assert.Empty(t, waited, "two are not sent")
		assert.False(t, o.withdraw(first), "it is on its way")
		close(first.done)
		next := o.next(1)
		synctest.Wait()
		assert.Empty(t, waited, "one is not sent")
		close(next.request.done)
		assert.NoError(t, <-waited)
		assert.Nil(t, o.next(1))
	})
}
