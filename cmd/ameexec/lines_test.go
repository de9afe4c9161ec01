package main

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// destination records what it is given, one entry for each write.
type destination struct {
	writes []string
	err    error
}

func (d *destination) Write(data []byte) (int, error) {
	d.writes = append(d.writes, string(data))
	return len(data), d.err
}

func (d *destination) text() string { return strings.Join(d.writes, "") }

// step is one thing that happens to a merger with two streams, 0 and 1.
type step struct {
	stream int
	data   string        // "": the stream ends
	after  time.Duration // time that passes afterwards
	want   string        // what has been written since the step before
}

func TestMerger(t *testing.T) {
	const soon = flushAfter / 2
	for name, test := range map[string]struct {
		label bool
		steps []step
	}{
		"lines pass at once":               {false, []step{{0, "a\nb\n", 0, "a\nb\n"}, {1, "c\n", 0, "c\n"}}},
		"a line in pieces is whole":        {false, []step{{0, "a", soon, ""}, {1, "c\n", 0, "c\n"}, {0, "b\n", 0, "ab\n"}}},
		"a prompt appears":                 {false, []step{{0, "name? ", flushAfter, "name? "}, {0, "ok\n", 0, "ok\n"}}},
		"a prompt stays whole for a while": {false, []step{{0, "50%", flushAfter, "50%"}, {1, "c\n", soon, ""}, {0, " 100%\n", 0, " 100%\nc\n"}}},
		"progress goes on":                 {false, []step{{0, "1%", flushAfter, "1%"}, {0, "\r2%", 0, "\r2%"}, {0, "\r3%", 0, "\r3%"}}},
		"but not for ever":                 {false, []step{{0, "50%", flushAfter, "50%"}, {1, "c\n", holdFor, "\nc\n"}, {0, "60%\n", 0, "60%\n"}}},
		"one prompt at a time":             {false, []step{{0, "a?", 0, ""}, {1, "b?", flushAfter, "a?"}, {0, "!\n", flushAfter, "!\nb?"}}},
		"the last line may lack newline":   {false, []step{{0, "a", 0, ""}, {0, "", 0, "a"}}},
		"it gets one when another follows": {false, []step{{0, "a", 0, ""}, {0, "", 0, "a"}, {1, "b\n", 0, "\nb\n"}, {1, "", 0, ""}}},
		"two last lines":                   {false, []step{{0, "a", 0, ""}, {0, "", 0, "a"}, {1, "b", 0, ""}, {1, "", 0, "\nb"}}},
		"end of a prompt":                  {false, []step{{0, "a?", flushAfter, "a?"}, {0, "", 0, ""}, {1, "b\n", 0, "\nb\n"}}},
		"labels":                           {true, []step{{0, "a\n\nb", time.Hour, "0: a\n0: \n"}, {1, "c\n", 0, "1: c\n"}, {0, "d\n", 0, "0: bd\n"}}},
		"labels end the last line":         {true, []step{{0, "a", 0, ""}, {0, "", 0, "0: a\n"}, {1, "", 0, ""}}},
		"too much waits":                   {false, []step{{0, "50%", flushAfter, "50%"}, {1, strings.Repeat("x", maxHeld) + "\n", 0, "\n" + strings.Repeat("x", maxHeld) + "\n"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := &destination{}
				m := newMerger(func(err error) { t.Error(err) })
				var streams []*stream
				for rank := range 2 {
					prefix := ""
					if test.label {
						prefix = label(rank, 2)
					}
					streams = append(streams, m.stream(out, prefix))
				}
				for i, step := range test.steps {
					before := len(out.text())
					if step.data == "" {
						streams[step.stream].Close()
					} else {
						streams[step.stream].Write([]byte(step.data))
					}
					time.Sleep(step.after)
					synctest.Wait()
					require.Equal(t, step.want, out.text()[before:], "step %d", i)
				}
			})
		})
	}
}

// Every line reaches the destination in one write.
func TestMergerWritesLinesWhole(t *testing.T) {
	out := &destination{}
	m := newMerger(func(err error) { t.Error(err) })
	s := m.stream(out, label(3, 11))
	for range 64 {
		s.Write([]byte(strings.Repeat("x", 1<<14)))
	}
	s.Write([]byte("\n"))
	require.Len(t, out.writes, 1)
	assert.Equal(t, " 3: "+strings.Repeat("x", 1<<20)+"\n", out.writes[0])
}

func TestMergerReportsOnce(t *testing.T) {
	var reported []error
	out := &destination{err: errors.New("full")}
	m := newMerger(func(err error) { reported = append(reported, err) })
	s := m.stream(out, "")
	s.Write([]byte("a\n"))
	s.Write([]byte("b\n"))
	assert.Equal(t, []error{out.err}, reported)
	assert.Len(t, out.writes, 1)
}
