package loop

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errGone = errors.New("connection reset")

func aValue(index int, body string) Item {
	return Item{Index: index, Status: Value, Payload: value.Payload{Body: []byte(body)}}
}

func homeward(why string) window { return window{over: true, why: []byte(why)} }

func only(index int) window { return window{span: span{index, 1}} }

// What a lost rank held goes to a rank that waits, what it still says is
// discarded, and a loop that has delivered everything has not failed.
func TestServerGivesItemsOfALostRankToOthers(t *testing.T) {
	serve(t, Config{Size: 4, Total: 3}, func(t *testing.T, s *Server, l *fakeLink) {
		for rank := 1; rank < 4; rank++ {
			l.says(rank, asks())
			assert.Equal(t, answer{rank, only(rank - 1)}, <-l.sent)
		}
		l.says(1, asks(aValue(0, "of 1")))
		l.says(3, report{end: Unknown, intent: working, items: []Item{{Index: 2, Status: Value, Payload: value.Payload{Body: make([]byte, largeValue)}}}})
		synctest.Wait()
		assert.Empty(t, l.sent, "ranks 2 and 3 may give back")
		l.loses(3, errGone)
		assert.Equal(t, answer{1, attempt(2, 2)}, <-l.sent)
		l.incoming <- incoming{message: Message{Source: 3, Tag: tagValue}} // of what it had announced
		l.incoming <- incoming{message: Message{Source: 3, Tag: tagReport, Payload: value.Payload{Body: []byte("garbage")}}}
		l.says(3, asks(aValue(2, "late")))
		l.says(2, asks(aValue(1, "of 2")))
		l.says(1, asks(aValue(2, "again")))
		assert.ElementsMatch(t, []answer{{1, homeward("")}, {2, homeward("")}}, []answer{<-l.sent, <-l.sent})
		results, _, err := s.Take(t.Context())
		require.NoError(t, err)
		var got []string
		for _, item := range results {
			got = append(got, string(item.Payload.Body))
		}
		assert.Equal(t, []string{"of 1", "of 2", "again"}, got)
		_, over, err := s.Take(t.Context())
		assert.True(t, over)
		assert.NoError(t, err)
		done, total, busy := s.State()
		assert.Equal(t, []int{3, 3, 0}, []int{done, total, busy})
		assert.Empty(t, l.aborted)
	})
}

// An item that two ranks were lost with is an error of the item.
func TestServerReportsPoison(t *testing.T) {
	const poison = "item 0 on rank 2: rank 1 was lost while it held this item, and now this one, so it is not tried again: connection reset"
	for _, stop := range []bool{true, false} {
		serve(t, Config{Size: 4, Total: 2, Stop: stop}, func(t *testing.T, s *Server, l *fakeLink) {
			for _, rank := range []int{1, 2} {
				l.says(rank, asks())
				assert.Equal(t, answer{rank, attempt(0, rank)}, <-l.sent)
				l.loses(rank, errGone)
				synctest.Wait()
			}
			l.says(3, asks())
			if stop {
				assert.Equal(t, answer{3, homeward(poison)}, <-l.sent)
				assert.ErrorIs(t, s.err(), errGone)
				return
			}
			assert.Equal(t, answer{3, only(1)}, <-l.sent, "the others go on")
			results, _, err := s.Take(t.Context())
			require.NoError(t, err)
			require.Len(t, results, 1)
			assert.Equal(t, []any{0, 2, Failed}, []any{results[0].Index, results[0].Rank, results[0].Status})
			assert.EqualError(t, plain{}.OfItem(results[0]), poison)
			l.says(3, asks(Item{Index: 1}))
			assert.Equal(t, answer{3, homeward("")}, <-l.sent)
		})
	}
}

// With no worker left the loop ends, and says what is not done.
func TestServerLosesAllWorkers(t *testing.T) {
	serve(t, Config{Size: 3, Total: 10}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		assert.Equal(t, answer{1, only(0)}, <-l.sent)
		l.says(1, asks(Item{Index: 0}))
		<-l.sent
		l.loses(1, errGone)
		l.loses(2, errors.New("no route"))
		l.incoming <- incoming{err: &PeerError{1, errGone}} // nothing can come any more
		_, over, err := s.Take(t.Context())
		assert.True(t, over)
		assert.EqualError(t, err, "connection reset\nno route; no rank is left that could do items 1-9")
		assert.Empty(t, l.aborted)
	})
}

// An answer that cannot be sent is a lost rank, if it is lost.
func TestServerCannotAnswerALostRank(t *testing.T) {
	serve(t, Config{Size: 3, Total: 10}, func(t *testing.T, s *Server, l *fakeLink) {
		l.mu.Lock()
		l.lost = append(l.lost, &PeerError{2, errGone}) // and nobody has been told yet
		l.mu.Unlock()
		s.unanswered(&PeerError{2, errGone})
		assert.Equal(t, lost, s.m.ranks[2].state)
		assert.NoError(t, s.err())
		s.unanswered(&PeerError{1, errors.New("aborted the job")})
		assert.ErrorContains(t, s.err(), "aborted the job")
		assert.ErrorContains(t, <-l.aborted, "aborted the job")
	})
}

func TestServerLossPolicies(t *testing.T) {
	tests := map[string]struct {
		config Config
		next   window // of rank 1, when rank 2 is lost with item 1
		why    string // that the loop ends with
		total  int
	}{
		"fail":              {Config{OnLoss: FailLoop}, homeward("connection reset; it leaves unfinished item 1"), "connection reset; it leaves unfinished item 1", 3},
		"skip":              {Config{OnLoss: Skip}, only(2), "connection reset; left out: item 1", 3},
		"skip, with redo":   {Config{OnLoss: Skip, Redo: true}, only(2), "connection reset; left out: item 1", 3},
		"reassign":          {Config{}, attempt(1, 2), "", 3},
		"reassign and redo": {Config{Redo: true}, attempt(1, 2), "connection reset; all items are done, also those that were lost with it", 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.config.Size, test.config.Total = 3, 3
			serve(t, test.config, func(t *testing.T, s *Server, l *fakeLink) {
				for rank := 1; rank < 3; rank++ {
					l.says(rank, asks())
					assert.Equal(t, answer{rank, only(rank - 1)}, <-l.sent)
				}
				l.loses(2, errGone)
				synctest.Wait()
				l.says(1, asks(Item{Index: 0}))
				for a := <-l.sent; ; a = <-l.sent {
					assert.Equal(t, test.next, a.window)
					if a.over {
						break
					}
					l.says(1, asks(Item{Index: a.first}))
					test.next = only(2)
					if a.first == 2 {
						test.next = homeward(test.why)
					}
				}
				if test.why == "" {
					assert.NoError(t, s.err())
				} else {
					assert.EqualError(t, s.err(), test.why)
				}
			})
		})
	}
}

// Under redo, also what a rank had finished before it broke out is done again.
func TestServerRedoesWhatALostRankHasFinished(t *testing.T) {
	serve(t, Config{Size: 3, Total: 2, Redo: true}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(2, asks())
		<-l.sent
		l.says(2, report{end: Unknown, intent: Break, items: []Item{{Index: 0}}})
		l.says(1, asks())
		assert.Equal(t, answer{1, only(1)}, <-l.sent)
		l.loses(2, errGone)
		synctest.Wait()
		l.says(1, asks(Item{Index: 1}))
		assert.Equal(t, answer{1, only(0)}, <-l.sent)
		l.says(1, asks(Item{Index: 0}))
		assert.Equal(t, answer{1, homeward("connection reset; all items are done, also those that were lost with it")}, <-l.sent)
	})
}

// Losses when rank 0 has left the loop, or it is over for the rank, are of no
// matter.
func TestServerIgnoresLosses(t *testing.T) {
	serve(t, Config{Size: 3, Total: 1}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		<-l.sent
		s.Leave(nil)
		l.loses(1, errGone)
		l.says(2, asks())
		assert.Equal(t, answer{2, homeward("")}, <-l.sent)
		l.loses(2, errGone)
		synctest.Wait()
		assert.NoError(t, s.err())
	})
}
