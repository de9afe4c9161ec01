package launch

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// destination records what it is given, one entry for each write.
type destination struct {
	mu      sync.Mutex
	writes  []string
	err     error
	blocked chan struct{} // nil: not
}

func (d *destination) Write(data []byte) (int, error) {
	if d.blocked != nil {
		<-d.blocked
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes = append(d.writes, string(data))
	return len(data), d.err
}

func (d *destination) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.writes, "")
}

// Time alone makes an unfinished line appear.
func TestMergerShowsAnUnfinishedLineInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &destination{}
		m := NewMerger(func(err error) { t.Error(err) })
		a, b := m.Stream(out, Label(0, 2)), m.Stream(out, Label(1, 2))
		for range 5 {
			a.Write([]byte("."))
			b.Write([]byte(":"))
			time.Sleep(showAfter - time.Millisecond)
		}
		synctest.Wait()
		assert.Equal(t, "0: ..\n1: :::::", out.text())
		time.Sleep(holdFor)
		synctest.Wait()
		assert.Equal(t, "0: ..\n1: :::::\n0: ...", out.text())
		a.Close()
		b.Close()
		m.Wait()
	})
}

// Where the whole machine stands still, ranks stop in the middle of lines. These
// are not cut because of that.
func TestMergerStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &destination{}
		m := NewMerger(func(err error) { t.Error(err) })
		a, b, c := m.Stream(out, ""), m.Stream(out, ""), m.Stream(out, "")
		standStill := func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.due = m.due.Add(-tolerance - showAfter)
		}
		a.Write([]byte("a"))
		b.Write([]byte("b"))
		c.Write([]byte("c?"))
		time.Sleep(showAfter - time.Millisecond)
		standStill()
		a.Write([]byte("1\n"))
		time.Sleep(showAfter - time.Millisecond)
		b.Write([]byte("2\n"))
		standStill()
		a.Write([]byte("3\n"))
		time.Sleep(time.Millisecond)
		synctest.Wait()
		assert.Equal(t, "a1\nb2\n3\nc?", out.text(), "put off once")
		a.Close()
		b.Close()
		c.Close()
		m.Wait()
	})
}

// Every line reaches the destination in one write.
func TestMergerWritesLinesWhole(t *testing.T) {
	out := &destination{}
	m := NewMerger(func(err error) { t.Error(err) })
	s := m.Stream(out, Label(3, 11))
	for range 64 {
		s.Write([]byte(strings.Repeat("x", 1<<14)))
	}
	s.Write([]byte("\n"))
	m.Wait()
	s.Close()
	assert.Empty(t, m.mixer.streams, "a stream that has ended costs nothing")
	require.Len(t, out.writes, 1)
	assert.True(t, " 3: "+strings.Repeat("x", 1<<20)+"\n" == out.writes[0])
}

func TestMergerReportsOnce(t *testing.T) {
	var reported []error
	out := &destination{err: errors.New("full")}
	m := NewMerger(func(err error) { reported = append(reported, err) })
	s := m.Stream(out, "")
	for range 3 {
		s.Write([]byte("a\n"))
		m.Wait()
	}
	assert.Equal(t, []error{out.err}, reported)
	assert.Len(t, out.writes, 1)
}

// A destination that blocks holds up the streams, but neither the launcher's
// own lines nor the ends of streams; and their output is bounded.
func TestMergerDoesNotHoldUpTheLauncher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &destination{blocked: make(chan struct{})}
		m := NewMerger(func(err error) { t.Error(err) })
		own, s := m.Notices(out), m.Stream(out, "")
		const lines = 1 << 10
		done := false
		go func() {
			for range lines {
				s.Write([]byte(strings.Repeat("x", 4<<10) + "\n"))
			}
			done = true
		}()
		synctest.Wait()
		assert.False(t, done)
		own.Write([]byte("rank 1 has failed\n"))
		own.Close()
		m.SetBar("no terminal, no bar")
		m.mu.Lock()
		assert.Less(t, m.queued, 2*maxQueued)
		m.mu.Unlock()
		close(out.blocked)
		synctest.Wait()
		assert.True(t, done)
		m.Wait()
		assert.Equal(t, lines, strings.Count(out.text(), "x\n"))
		assert.Contains(t, out.text(), "rank 1 has failed\n")
	})
}

// A destination that fails while streams wait for it lets them go.
func TestMergerLetsGoWhenTheReaderGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &destination{blocked: make(chan struct{}), err: errors.New("gone")}
		failed := 0
		m := NewMerger(func(error) { failed++ })
		s := m.Stream(out, "")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 1 << 10 {
				s.Write([]byte(strings.Repeat("x", 4<<10) + "\n"))
			}
		}()
		synctest.Wait()
		close(out.blocked)
		<-done
		m.Wait()
		assert.Equal(t, 1, failed)
	})
}
