package loop

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serve runs a Server in a bubble, where the test plays the other ranks. The
// test fails if Run has not ended when the body has.
func serve(t *testing.T, c Config, body func(t *testing.T, s *Server, l *fakeLink)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLink()
		c.Errors = plain{}
		s := NewServer(l, c)
		go s.Run()
		body(t, s, l)
		synctest.Wait()
		assert.True(t, s.ended(), "Run has not ended")
		s.finish() // or the bubble would wait for it
		<-s.served
	})
}

func (s *Server) ended() bool {
	select {
	case <-s.served:
		return true
	default:
		return false
	}
}

func TestServerSendsHome(t *testing.T) {
	serve(t, Config{Size: 3, Total: 1}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		assert.Equal(t, answer{1, window{span: span{0, 1}}}, <-l.sent)
		l.says(2, asks())
		synctest.Wait()
		assert.Empty(t, l.sent, "rank 1 may give its item back")
		l.says(1, asks(Item{Index: 0}))
		home := window{over: true, why: []byte{}}
		assert.ElementsMatch(t, []answer{{1, home}, {2, home}}, []answer{<-l.sent, <-l.sent})
	})
}

func TestServerGoesOnAfterABreak(t *testing.T) {
	serve(t, Config{Size: 3, Total: 2}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		<-l.sent
		l.says(1, report{end: Unknown, intent: Break, back: []span{{0, 1}}})
		l.says(1, asks()) // what it says later does not matter
		l.says(2, asks())
		assert.Equal(t, answer{2, window{span: span{0, 1}}}, <-l.sent, "the next rank gets what was given back")
		l.says(2, asks(Item{Index: 0}))
		<-l.sent
		l.says(2, asks(Item{Index: 1}))
		assert.True(t, (<-l.sent).over)
	})
}

// A rank that was sent home may go before the call that has sent it there
// returns. It is no rank that is missing in the loop.
func TestServerOutlivesARankSentHome(t *testing.T) {
	serve(t, Config{Size: 2, Total: 1, RootWorks: true}, func(t *testing.T, s *Server, l *fakeLink) {
		w := s.NewWorker()
		_, ok, err := w.Next(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, w.Done(Item{Index: 0}))
		l.says(1, asks())
		synctest.Wait() // for its report
		l.hold = make(chan struct{})
		go func() { _, _, _ = w.Next(t.Context()) }() // sends rank 1 home
		synctest.Wait()
		l.incoming <- incoming{err: &PeerError{1, errors.New("has left")}}
		synctest.Wait()
		assert.False(t, s.ended(), "the answer is not written yet")
		close(l.hold)
		assert.True(t, (<-l.sent).over)
		synctest.Wait()
		assert.NoError(t, s.err())
		assert.Empty(t, l.aborted)
	})
}

func TestServerCannotGoOn(t *testing.T) {
	serve(t, Config{Size: 3, Total: 100}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(2, asks())
		<-l.sent
		gone := errors.New("aborted the job")
		l.incoming <- incoming{err: &PeerError{2, gone}}
		synctest.Wait()
		assert.ErrorIs(t, s.err(), gone)
		assert.ErrorContains(t, s.err(), "it leaves unfinished item 0")
		assert.ErrorIs(t, <-l.aborted, gone)
		_, over, err := s.Take(t.Context())
		assert.True(t, over)
		assert.ErrorIs(t, err, gone)
	})
}

// In all of these the peer breaks the protocol, and the loop ends.
func TestServerRefuses(t *testing.T) {
	tests := map[string]struct {
		message Message
		want    string
	}{
		"garbage":           {Message{Source: 1, Tag: tagReport, Payload: value.Payload{Body: []byte("\x09")}}, "rank 1: loop message"},
		"unannounced value": {Message{Source: 1, Tag: tagValue}, "rank 1: a value that was not announced"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			serve(t, Config{Size: 2, Total: 100}, func(t *testing.T, s *Server, l *fakeLink) {
				l.incoming <- incoming{message: test.message}
				synctest.Wait()
				assert.ErrorContains(t, s.err(), test.want)
			})
		})
	}
}

func TestServerEndsWithTheErrorsOfItems(t *testing.T) {
	bad := Item{Index: 0, Status: Failed, Payload: value.Payload{Body: []byte("bad")}}
	serve(t, Config{Size: 2, Total: 100, Stop: true}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		<-l.sent
		l.says(1, asks(bad))
		assert.Equal(t, answer{1, window{over: true, why: []byte("item 0 on rank 1: bad")}}, <-l.sent)
	})
	serve(t, Config{Size: 2, Total: 1}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		<-l.sent
		l.says(1, asks(bad))
		assert.Equal(t, answer{1, window{over: true, why: []byte{}}}, <-l.sent, "the body gets it as a result")
		results, _, _ := s.Take(t.Context())
		assert.Len(t, results, 1)
	})
}

func TestServerPassesOnWhyARankLeaves(t *testing.T) {
	serve(t, Config{Size: 3, Total: 100}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		<-l.sent
		l.says(1, report{end: Unknown, intent: Fail, why: []byte("disk full")})
		l.says(2, asks())
		assert.Equal(t, "rank 1: left the loop, unfinished item 0: disk full", string((<-l.sent).why))
	})
}

func TestServerHandsNothingOutWhileResultsWait(t *testing.T) {
	large := Item{Index: 0, Status: Value, Payload: value.Payload{Body: make([]byte, maxBacklog)}}
	serve(t, Config{Size: 2, Total: 2}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		<-l.sent
		l.says(1, report{end: Unknown, intent: working, items: []Item{large}})
		l.incoming <- incoming{message: Message{Source: 1, Tag: tagValue, Payload: large.Payload}}
		l.says(1, asks())
		synctest.Wait()
		assert.Empty(t, l.sent, "the loop body has not caught up")
		results, _, err := s.Take(t.Context())
		require.NoError(t, err)
		assert.Len(t, results, 1)
		assert.Equal(t, answer{1, window{span: span{1, 1}}}, <-l.sent)
		l.says(1, asks(Item{Index: 1}))
		assert.True(t, (<-l.sent).over)
	})
}

func TestServerDropsResultsThatNobodyTakes(t *testing.T) {
	serve(t, Config{Size: 2, Total: 100}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		<-l.sent
		s.Leave(nil)
		l.says(1, asks(Item{Index: 0, Status: Value}))
		assert.Equal(t, answer{1, window{over: true, why: []byte{}}}, <-l.sent)
		assert.Zero(t, s.results.bytes)
	})
}
