package loop

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// script is a manager that gives one window after the other and keeps what
// it is told, with the time.
type script struct {
	start   time.Time
	windows []window
	reports []report
	times   []time.Duration
	err     error // of every tell but the first
	cuts    atomic.Bool
}

func (s *script) cut() bool { return s.cuts.Load() }

func (s *script) tell(r *report) error {
	kept := *r
	kept.items = slices.Clone(r.items)
	s.reports = append(s.reports, kept)
	s.times = append(s.times, time.Since(s.start))
	if len(s.reports) > 1 {
		return s.err
	}
	return nil
}

func (s *script) await(context.Context) (window, error) {
	if len(s.windows) == 0 {
		return window{over: true}, nil
	}
	w := s.windows[0]
	s.windows = s.windows[1:]
	return w, nil
}

// work goes through the windows; an item takes what the function says.
func (s *script) work(w *Worker, took func(index int) time.Duration) error {
	s.start = time.Now()
	w.boss, w.errors = s, plain{}
	w.hold = holdWindows * windowTime
	for {
		task, ok, err := w.Next(context.Background())
		if err != nil || !ok {
			w.Leave(Fail, err)
			return err
		}
		d := took(task.Index)
		time.Sleep(d)
		if err := w.Done(Item{Index: task.Index, Duration: d, Status: Value}); err != nil {
			return err
		}
	}
}

func indices(r report) []int {
	var out []int
	for _, item := range r.items {
		out = append(out, item.Index)
	}
	return out
}

func TestWorkerGivesBackWhatItHasNoTimeFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{windows: []window{{span: span{0, 8}}, {span: span{100, 4}}, {span: span{200, 1}}}}
		require.NoError(t, s.work(&Worker{}, func(index int) time.Duration {
			switch index {
			case 2, 103, 200:
				return time.Minute
			}
			return time.Millisecond
		}))
		ms := time.Millisecond
		require.Len(t, s.reports, 6)
		assert.Equal(t, []time.Duration{
			0,                                  // asks
			40 * ms,                            // is in item 2, gives back
			time.Minute + 2*ms,                 // asks
			time.Minute + 2*ms + 40*ms,         // is in its last item: reports those before
			2*time.Minute + 2*ms + 3*ms,        // asks
			3*time.Minute + 2*ms + 3*ms + 0*ms, // asks, and is sent home
		}, s.times)
		assert.Equal(t, []int{0, 1}, indices(s.reports[1]))
		assert.Equal(t, []span{{3, 5}}, s.reports[1].back)
		assert.Equal(t, working, s.reports[1].intent)
		assert.Equal(t, []int{2}, indices(s.reports[2]))
		assert.Equal(t, []int{100, 101, 102}, indices(s.reports[3]))
		assert.Nil(t, s.reports[3].back)
		assert.Equal(t, []int{103}, indices(s.reports[4]))
		assert.Equal(t, []int{200}, indices(s.reports[5]))
	})
}

func TestWorkerKeepsQuickWindowsToItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{windows: []window{{span: span{0, 1000}}, {span: span{1000, 1000}}}}
		require.NoError(t, s.work(&Worker{}, func(int) time.Duration { return 10 * time.Microsecond }))
		assert.Len(t, s.reports, 3)
	})
}

func TestWorkerReportsAtOnce(t *testing.T) {
	large := Item{Index: 7, Status: Value, Payload: payload(value.FormatBytes, make([]byte, largeValue))}
	bad := Item{Index: 8, Status: Failed, Payload: payload(0, []byte("bad"))}
	s := &script{}
	w := &Worker{boss: s, errors: plain{}}
	require.NoError(t, w.Done(Item{Index: 6}))
	assert.Empty(t, s.reports)
	require.NoError(t, w.Done(large))
	require.NoError(t, w.Done(bad))
	require.Len(t, s.reports, 1, "a failure waits if the loop goes on anyway")
	assert.Equal(t, []int{6, 7}, indices(s.reports[0]))
	w.prompt = true
	require.NoError(t, w.Done(bad))
	assert.Len(t, s.reports, 2)
}

func TestWorkerLeaves(t *testing.T) {
	tests := []struct {
		name string
		why  Intent
		err  error
		back []span
	}{
		{"break", Break, nil, []span{{1, 9}}},
		{"panic", Panic, nil, nil},
		{"error", Fail, errors.New("why"), nil},
	}
	for _, test := range tests {
		s := &script{windows: []window{{span: span{0, 10}}}}
		w := &Worker{boss: s, errors: plain{}, hold: time.Hour}
		task, ok, err := w.Next(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, w.Done(Item{Index: task.Index}))
		w.Leave(test.why, test.err)
		last := s.reports[len(s.reports)-1]
		assert.Equal(t, test.why, last.intent, test.name)
		assert.Equal(t, test.back, last.back)
		assert.Equal(t, []int{0}, indices(last))
		w.overdue()
		assert.Len(t, s.reports, 2, "nothing is said after leaving")
	}
}

func TestWorkerSentHomeSaysNothing(t *testing.T) {
	s := &script{}
	w := &Worker{boss: s, errors: plain{}}
	_, ok, err := w.Next(t.Context())
	assert.False(t, ok)
	assert.NoError(t, err)
	w.Leave(Fail, nil)
	assert.Len(t, s.reports, 1)
}

func TestWorkerPassesOnWhatTheTimerCouldNotSend(t *testing.T) {
	broken := errors.New("broken")
	synctest.Test(t, func(t *testing.T) {
		s := &script{windows: []window{{span: span{0, 8}}}, err: broken}
		err := s.work(&Worker{}, func(int) time.Duration { return time.Minute })
		assert.ErrorIs(t, err, broken)
	})
}
