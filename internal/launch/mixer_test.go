package launch

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// event is one thing that happens to a mixer with two streams, 0 and 1.
type event struct {
	stream int
	data   string        // "": the stream ends; "-": nothing
	after  time.Duration // time that passes afterwards
	want   string        // what has become ready since the event before
}

const soon = showAfter / 2

func TestMixer(t *testing.T) {
	for name, test := range map[string]struct {
		label  bool
		events []event
	}{
		"lines pass at once":               {false, []event{{0, "a\nb\n", 0, "a\nb\n"}, {1, "c\n", 0, "c\n"}}},
		"a line in pieces is whole":        {false, []event{{0, "a", soon, ""}, {1, "c\n", 0, "c\n"}, {0, "b\n", 0, "ab\n"}}},
		"a prompt appears":                 {false, []event{{0, "name? ", showAfter, "name? "}, {0, "ok\n", 0, "ok\n"}}},
		"after a line, too":                {false, []event{{0, "hi\nname? ", soon, "hi\n"}, {0, "-", soon, "name? "}}},
		"further bytes do not put it off":  {false, []event{{0, ".", soon, ""}, {0, ".", soon, ".."}, {0, ".", 0, "."}}},
		"a prompt stays whole for a while": {false, []event{{0, "50%", showAfter, "50%"}, {1, "c\n", soon, ""}, {0, " 100%\n", 0, " 100%\nc\n"}}},
		"progress goes on":                 {false, []event{{0, "1%", showAfter, "1%"}, {0, "\r2%", 0, "\r2%"}, {0, "\r3%", 0, "\r3%"}}},
		"but not for ever":                 {false, []event{{0, "50%", showAfter, "50%"}, {1, "c\n", holdFor, "\nc\n"}, {0, "60%\n", 0, "60%\n"}}},
		"each prompt appears in time":      {false, []event{{0, "a?", soon, ""}, {1, "b?", soon, "a?"}, {1, "-", soon, "\nb?"}}},
		"bars do not eat each other": {false, []event{
			{0, "\r1%", showAfter, "\r1%"}, {1, "\r5%", showAfter, "\n\r5%"}, {0, "\r2%", soon, ""}, {1, "\r6%", 0, "\r6%"}, {0, "\r3%", holdFor, "\n\r2%\r3%"},
		}},
		"dots take turns": {false, []event{
			{0, ".", 0, ""}, {1, ":", showAfter, ".\n:"}, {0, ".", holdFor - soon, ""}, {1, ":", 0, ":"}, {0, ".", soon, "\n.."}, {0, ".", 0, "."}, {1, ":", soon, ""},
		}},
		"the last line may lack newline":   {false, []event{{0, "a", 0, ""}, {0, "", 0, "a"}}},
		"it gets one when another follows": {false, []event{{0, "a", 0, ""}, {0, "", 0, "a"}, {1, "b\n", 0, "\nb\n"}, {1, "", 0, ""}}},
		"two last lines":                   {false, []event{{0, "a", 0, ""}, {0, "", 0, "a"}, {1, "b", 0, ""}, {1, "", 0, "\nb"}}},
		"end of a prompt":                  {false, []event{{0, "a?", showAfter, "a?"}, {0, "", 0, ""}, {1, "b\n", 0, "\nb\n"}}},
		"an end is no reason to wait":      {false, []event{{0, "a?", showAfter, "a?"}, {1, "b\nc", 0, ""}, {1, "", 0, "\nb\nc"}}},

		"labels":                          {true, []event{{0, "a\n\nb", soon, "0: a\n0: \n"}, {1, "c\n", 0, "1: c\n"}, {0, "d\n", 0, "0: bd\n"}}},
		"labels end the last line":        {true, []event{{0, "a", 0, ""}, {0, "", 0, "0: a\n"}, {1, "", 0, ""}}},
		"labels and a prompt":             {true, []event{{0, "a?", showAfter, "0: a?"}, {0, "b", 0, "b"}, {0, "", 0, "\n"}}},
		"labels and a cut":                {true, []event{{0, "a?", showAfter, "0: a?"}, {1, "b\n", holdFor, "\n1: b\n"}, {0, "c\n", 0, "0: c\n"}}},
		"a cut line that ends at once":    {true, []event{{0, "a?", showAfter, "0: a?"}, {1, "b", showAfter, "\n1: b"}, {1, "\n", 0, "\n"}, {0, "\nc\n", 0, "0: c\n"}}},
		"labels and bars":                 {true, []event{{0, "1%\r", showAfter, "0: 1%\r"}, {0, "2%", 0, "0: 2%"}, {0, "\r3%\r\n", 0, "\r0: 3%\r\n"}}},
		"labels and a bar cut after \\r":  {true, []event{{0, "1%\r", showAfter, "0: 1%\r"}, {1, "b", showAfter, "\n1: b"}, {0, "2%\r", holdFor, "\n0: 2%\r"}}},
		"too much waits":                  {false, []event{{0, "50%", showAfter, "50%"}, {1, strings.Repeat("x", maxHeld) + "\n", 0, "\n" + strings.Repeat("x", maxHeld) + "\n"}}},
		"data is no prompt":               {false, []event{{0, strings.Repeat("x", maxShown+1), holdFor, ""}, {0, "\n", 0, strings.Repeat("x", maxShown+1) + "\n"}}},
		"a line that is cut at last":      {false, []event{{0, strings.Repeat("x", maxLine+1), 0, strings.Repeat("x", maxLine+1)}}},
		"nothing of an ended stream":      {false, []event{{0, "", 0, ""}, {0, "", 0, ""}}},
		"a newline alone ends the prompt": {true, []event{{0, "a?", showAfter, "0: a?"}, {0, "\n", 0, "\n"}, {0, "\n", 0, "0: \n"}}},
	} {
		t.Run(name, func(t *testing.T) {
			out := &bytes.Buffer{}
			m := &mixer{}
			for rank := range 2 {
				s := &source{out: out}
				if test.label {
					s.label = Label(rank, 2)
				}
				m.streams = append(m.streams, s)
			}
			now := time.Unix(0, 0)
			streams := slices.Clone(m.streams)
			for i, e := range test.events {
				s := streams[e.stream]
				switch e.data {
				case "":
					m.end(s, now)
				case "-":
				default:
					m.take(s, []byte(e.data), now)
				}
				m.pass(&now, e.after)
				require.True(t, e.want == ready(m), "event %d: want %.100q, got %.100q", i, e.want, out)
			}
		})
	}
}

// pass lets time pass, as a timer does that is set for what is due next.
func (m *mixer) pass(now *time.Time, d time.Duration) {
	for end := now.Add(d); ; m.tick(*now) {
		next, at := m.next()
		if next == nil || at.After(end) {
			*now = end
			return
		}
		*now = at
	}
}

// ready takes what is to be written.
func ready(m *mixer) string {
	var text strings.Builder
	for _, c := range m.ready {
		text.Write(c.data)
	}
	m.ready = nil
	return text.String()
}

// Whatever two streams write and whenever, no byte is lost, and but for the
// newlines that cut lines none is added.
func FuzzMixer(f *testing.F) {
	f.Add([]byte("a\x00b\nc\x10d\re\n\x20f"), false)
	f.Add([]byte("\r\n\r\r\n"), true)
	f.Fuzz(func(t *testing.T, script []byte, label bool) {
		if bytes.ContainsAny(script, "01: ") || len(script) > 1<<10 {
			return // as if it had labels of its own
		}
		m := &mixer{}
		var want [2][]byte
		var written [2]bytes.Buffer
		for rank := range 2 {
			s := &source{out: &written[rank]}
			if label {
				s.label = Label(rank, 2)
			}
			m.streams = append(m.streams, s)
		}
		now := time.Unix(0, 0)
		for i, b := range script {
			rank := i % 2
			m.take(m.streams[rank], []byte{b}, now)
			want[rank] = append(want[rank], b)
			m.pass(&now, time.Duration(b)*10*time.Millisecond)
		}
		for rank, s := range slices.Clone(m.streams) {
			m.end(s, now)
			if label && len(want[rank]) > 0 && want[rank][len(want[rank])-1] != '\n' {
				want[rank] = append(want[rank], '\n')
			}
		}
		for _, c := range m.ready {
			c.out.Write(c.data)
		}
		for rank := range 2 {
			got := written[rank].Bytes()
			if label {
				got = bytes.ReplaceAll(got, []byte(Label(rank, 2)), nil)
			}
			for _, b := range want[rank] {
				for len(got) > 0 && got[0] != b && got[0] == '\n' {
					got = got[1:]
				}
				require.NotEmpty(t, got)
				require.Equal(t, b, got[0])
				got = got[1:]
			}
			assert.Empty(t, bytes.Trim(got, "\n"))
		}
	})
}
