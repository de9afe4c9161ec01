package loop

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errHalted = errors.New("stopped")

// A loop that is asked to stop hands out nothing more, delivers what ranks work
// on, and says what is not done. Those that are late are told to end.
func TestServerStopsWhenAsked(t *testing.T) {
	asked := make(chan struct{})
	c := Config{Size: 3, Total: 10, Halting: Halting{Asked: asked, Grace: time.Minute, Err: errHalted}}
	serve(t, c, func(t *testing.T, s *Server, l *fakeLink) {
		for rank := 1; rank < 3; rank++ {
			l.says(rank, asks())
			assert.Equal(t, answer{rank, only(rank - 1)}, <-l.sent)
		}
		close(asked)
		synctest.Wait()
		l.says(1, asks(aValue(0, "in time")))
		start := time.Now()
		assert.Equal(t, answer{1, window{cut: true}}, <-l.sent)
		assert.Equal(t, answer{2, window{cut: true}}, <-l.sent)
		assert.Equal(t, time.Minute, time.Since(start))
		l.says(2, report{end: Unknown, intent: working, back: []span{{1, 1}}})
		want := homeward("stopped as asked, not done: items 1-9")
		assert.Equal(t, answer{1, want}, <-l.sent)
		l.says(2, asks())
		assert.Equal(t, answer{2, want}, <-l.sent)
		results, _, err := s.Take(t.Context())
		require.NoError(t, err)
		require.Len(t, results, 1)
		_, over, err := s.Take(t.Context())
		assert.True(t, over)
		assert.ErrorIs(t, err, errHalted)
		assert.ErrorContains(t, err, "not done: items 1-9")
	})
}

// Any rank can be asked. A loop whose items are all done has not been stopped.
func TestServerIsDoneAlthoughAskedToStop(t *testing.T) {
	serve(t, Config{Size: 2, Total: 1, Halting: Halting{Grace: time.Minute, Err: errHalted}}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		assert.Equal(t, answer{1, only(0)}, <-l.sent)
		l.says(1, report{end: Unknown, intent: halting})
		l.says(1, asks(Item{Index: 0}))
		assert.Equal(t, answer{1, homeward("")}, <-l.sent)
		assert.NoError(t, s.err())
	})
}

// What a rank that is lost meanwhile has held is not done either.
func TestServerLosesARankWhileItStops(t *testing.T) {
	for redo, want := range map[bool]string{
		false: "stopped as asked, not done: items 2-9\nconnection reset",
		true:  "stopped as asked, not done: items 1-9\nconnection reset",
	} {
		serve(t, Config{Size: 3, Total: 10, Redo: redo, Halting: Halting{Grace: time.Minute, Err: errHalted}}, func(t *testing.T, s *Server, l *fakeLink) {
			for rank := 1; rank < 3; rank++ {
				l.says(rank, asks())
				assert.Equal(t, answer{rank, only(rank - 1)}, <-l.sent)
			}
			l.says(2, asks(Item{Index: 1}))
			assert.Equal(t, 2, (<-l.sent).first)
			l.loses(2, errGone)
			synctest.Wait()
			l.says(1, report{end: Unknown, intent: halting})
			l.says(1, asks(Item{Index: 0}))
			assert.Equal(t, answer{1, homeward(want)}, <-l.sent)
		})
	}
}

// A loop that has failed is not one that was stopped.
func TestServerFailsWhileItStops(t *testing.T) {
	serve(t, Config{Size: 2, Total: 10, Stop: true, Halting: Halting{Grace: time.Minute, Err: errHalted}}, func(t *testing.T, s *Server, l *fakeLink) {
		l.says(1, asks())
		<-l.sent
		l.says(1, report{end: Unknown, intent: halting})
		l.says(1, asks(Item{Index: 0, Status: Failed}))
		assert.True(t, (<-l.sent).over)
		assert.Error(t, s.err())
		assert.NotErrorIs(t, s.err(), errHalted)
	})
}

// Items are handed out as long as they are expected to be done in time.
func TestServerStopsBeforeTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLink()
		s := NewServer(l, Config{
			Size: 3, Total: 100, Errors: plain{},
			Halting: Halting{Before: time.Now().Add(10 * time.Minute), Err: errHalted},
		})
		go s.Run()
		var done atomic.Int32
		for rank, item := range map[int]time.Duration{1: 3 * time.Minute, 2: time.Minute} {
			go func() {
				var items []Item
				for {
					l.says(rank, asks(items...))
					var a answer
					for a = <-l.sent; a.rank != rank; a = <-l.sent {
						l.sent <- a
						time.Sleep(time.Millisecond)
					}
					if a.over {
						return
					}
					time.Sleep(item)
					done.Add(1)
					items = []Item{{Index: a.first, Duration: item}}
				}
			}()
		}
		<-s.served
		assert.EqualValues(t, 3+9, done.Load())
		assert.ErrorIs(t, s.err(), errHalted)
		assert.ErrorContains(t, s.err(), "stopped to be done by 2000-01-01 00:10:00, not done: items 12-99")
	})
}

// When time is up, what is still worked on is to end.
func TestServerCutsWhenTimeIsUp(t *testing.T) {
	c := Config{Size: 2, Total: 2, RootWorks: true, Halting: Halting{Err: errHalted}}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c.Halting.Before, c.Errors = start.Add(time.Hour), plain{}
		l := newFakeLink()
		s := NewServer(l, c)
		go s.Run()
		w := s.NewWorker()
		task, _, err := w.Next(t.Context())
		require.NoError(t, err)
		l.says(1, asks())
		<-l.sent
		over, cut := make(chan struct{}), make(chan struct{})
		go w.Watch(nil, over, func() { close(cut) })
		assert.Equal(t, answer{1, window{cut: true}}, <-l.sent)
		<-cut
		assert.Less(t, time.Since(start), time.Hour+time.Second)
		require.NoError(t, w.Undone(Item{Index: task.Index}))
		l.says(1, asks(Item{Index: 1}))
		assert.Equal(t, homeward("stopped to be done by 2000-01-01 01:00:00, not done: item 0"), (<-l.sent).window)
		_, ok, err := w.Next(t.Context())
		assert.False(t, ok)
		assert.ErrorIs(t, err, errHalted)
		w.Leave(Fail, err)
		<-s.served
		close(over)
	})
}

func TestWorkerHeedsThatItIsToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{windows: []window{{span: span{0, 8}}}}
		w := &Worker{boss: s, errors: plain{}, hold: time.Hour}
		asked, over, cut := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go w.Watch(asked, over, func() { close(cut) })
		task, _, err := w.Next(t.Context())
		require.NoError(t, err)
		close(asked)
		synctest.Wait()
		require.Len(t, s.reports, 2)
		assert.Equal(t, report{end: Unknown, intent: halting, back: []span{{1, 7}}}, s.reports[1])
		s.cuts.Store(true)
		<-cut
		require.NoError(t, w.Undone(Item{Index: task.Index}))
		assert.Equal(t, []span{{0, 1}}, s.reports[3].back)
		close(over)
	})
}
