package loop

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func failedWith(index int, why string) Item {
	return Item{Index: index, Status: Failed, Payload: payload(0, []byte(why))}
}

func attempt(index, n int) window { return window{span: span{index, 1}, tries: n - 1} }

// An item on which work has failed goes to another rank, and back when that has
// failed as well. The last error counts.
func TestServerRetries(t *testing.T) {
	serve(t, Config{Size: 3, Total: 2, Stop: true, Retries: 2}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		assert.Equal(t, answer{1, attempt(0, 1)}, <-l.sent)
		l.says(1, asks(failedWith(0, "first")))
		assert.Equal(t, answer{1, attempt(1, 1)}, <-l.sent, "rank 1 has failed on item 0")
		l.says(1, asks(aValue(1, "done")))
		synctest.Wait()
		assert.Empty(t, l.sent, "rank 2 is still to come")
		l.says(2, asks())
		assert.Equal(t, answer{2, attempt(0, 2)}, <-l.sent)
		l.says(2, asks(failedWith(0, "second")))
		assert.Equal(t, answer{1, attempt(0, 3)}, <-l.sent)
		l.says(1, asks(failedWith(0, "third")))
		assert.True(t, (<-l.sent).over)
		assert.True(t, (<-l.sent).over)
		assert.EqualError(t, s.err(), "item 0 on rank 1: third")
	})
}

func TestServerRetriesWithSuccess(t *testing.T) {
	serve(t, Config{Size: 2, Total: 1, Retries: 1}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		assert.Equal(t, answer{1, attempt(0, 1)}, <-l.sent)
		l.says(1, asks(failedWith(0, "once")))
		assert.Equal(t, answer{1, attempt(0, 2)}, <-l.sent, "nobody else is there")
		l.says(1, asks(aValue(0, "done")))
		assert.Equal(t, answer{1, homeward("")}, <-l.sent)
		results, _, err := s.Take(t.Context())
		require.NoError(t, err)
		require.Len(t, results, 1)
		assert.Equal(t, []any{Value, 2}, []any{results[0].Status, results[0].Attempt})
		assert.Empty(t, s.m.tries)
	})
}

// A panic is not tried again. The loss of a rank is an attempt, and no failure.
func TestServerCountsAttempts(t *testing.T) {
	serve(t, Config{Size: 3, Total: 1, Retries: 1}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		assert.Equal(t, answer{1, attempt(0, 1)}, <-l.sent)
		l.loses(1, errGone)
		synctest.Wait()
		l.says(2, asks())
		assert.Equal(t, answer{2, attempt(0, 2)}, <-l.sent)
		l.says(2, asks(failedWith(0, "once")))
		assert.Equal(t, answer{2, attempt(0, 3)}, <-l.sent)
		l.says(2, asks(Item{Index: 0, Status: Crashed}))
		assert.Equal(t, answer{2, homeward("")}, <-l.sent)
	})
}

// What has failed when the loop stops is not done.
func TestServerStopsBetweenAttempts(t *testing.T) {
	serve(t, Config{Size: 2, Total: 3, Retries: 1, Halting: Halting{Grace: 1e9, Err: errHalted}}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		assert.Equal(t, answer{1, attempt(0, 1)}, <-l.sent)
		l.says(1, report{end: Unknown, intent: halting})
		l.says(1, asks(failedWith(0, "once")))
		assert.Equal(t, answer{1, homeward("stopped as asked, not done: items 0-2")}, <-l.sent)
	})
}
