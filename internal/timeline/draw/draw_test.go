package draw

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/internal/timeline"
	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

const second = time.Second

// two is a loop of two ranks with a slot each, whose items are done from the first
// time to the second, in seconds.
func two(elapsed int, items ...[2][2]int) *timeline.Loop {
	l := &timeline.Loop{
		Head:    timeline.Head{Kind: "map", Label: "<dots>", Job: "7", Items: len(items), Ranks: []timeline.Rank{{Host: "a", Slots: 1}, {Host: "b", Slots: 1}}},
		Elapsed: time.Duration(elapsed) * second, Ended: true, Notes: map[int]timeline.Note{},
	}
	for rank := range 2 {
		for i, item := range items {
			if at := item[rank]; at[1] > at[0] {
				l.Records = append(l.Records, timeline.Record{
					Start: time.Duration(at[0]) * second, Took: time.Duration(at[1]-at[0]) * second, Index: 2*i + rank, Rank: int32(rank),
				})
			}
		}
	}
	return l
}

func TestSummarize(t *testing.T) {
	body := two(10, [2][2]int{{0, 2}, {0, 2}}, [2][2]int{{8, 10}, {8, 10}})
	body.Records = append(body.Records, timeline.Record{Start: 2 * second, Took: 6 * second, State: timeline.Body})
	lost := two(10, [2][2]int{{0, 10}, {0, 1}})
	lost.Losses = []timeline.Loss{{Rank: 1, At: 3 * second, Why: "gone"}}
	late := two(10, [2][2]int{{6, 10}, {6, 10}})
	quick := two(10, [2][2]int{{0, 3}, {0, 3}}, [2][2]int{{7, 10}, {7, 10}})
	quick.Records = append(quick.Records, timeline.Record{Start: 3 * second, Took: 4 * second, State: timeline.Waiting})
	long := two(10, [2][2]int{{0, 1}, {0, 1}}, [2][2]int{{1, 2}, {1, 2}}, [2][2]int{{2, 3}, {2, 3}}, [2][2]int{{3, 4}, {3, 4}}, [2][2]int{{4, 10}, {}})
	tests := map[string]struct {
		loop                   *timeline.Loop
		balance, communication float64
		limit                  string
	}{
		"full":      {two(10, [2][2]int{{0, 10}, {0, 10}}), 1, 1, "2.0 of 2 slots were busy on average"},
		"few":       {two(10, [2][2]int{{0, 10}, {}}), 0.5, 1, "1.0 of 2 slots were busy on average: there were fewer items than slots"},
		"uneven":    {two(10, [2][2]int{{0, 10}, {0, 4}}), 0.7, 1, "1.4 of 2 slots were busy on average: 2 items are too few to share evenly; half of the slots had nothing left in the last 6s"},
		"long item": {long, 0.7, 1, "1.4 of 2 slots were busy on average: half of the slots had nothing left in the last 6s, which item 8 (6s long) ended"},
		"body":      {body, 1, 0.4, "0.8 of 2 slots were busy on average: rank 0's loop body ran for 60 % of the time, and the others waited for it"},
		"start":     {late, 1, 0.4, "0.8 of 2 slots were busy on average: slots waited 6s for their first item, on average"},
		"messages":  {quick, 1, 0.6, "1.2 of 2 slots were busy on average: items took 3s on average, which is little beside the message that each costs"},
		"lost":      {lost, 0.55, 1, "1.1 of 2 slots were busy on average: 1 ranks were lost"},
	}
	for name, test := range tests {
		s := Summarize(test.loop, Rows(test.loop))
		assert.InDelta(t, test.balance, s.Balance, 1e-9, name)
		assert.InDelta(t, test.communication, s.Communication, 1e-9, name)
		assert.InDelta(t, test.balance*test.communication, s.Efficiency, 1e-9, name)
		assert.Equal(t, test.limit, s.Limit, name)
	}
	empty := two(0)
	assert.Equal(t, "no item was worked on", Summarize(empty, Rows(empty)).Limit)
}

// The rows have all slots, and what a rank was lost in.
func TestRows(t *testing.T) {
	l := two(10, [2][2]int{{0, 2}, {1, 3}})
	l.Ranks[1].Slots = 2
	l.Losses = []timeline.Loss{{Rank: 1, At: 5 * second}}
	rows := Rows(l)
	require.Len(t, rows, 3)
	assert.Equal(t, "rank 0 a", rows[0].Name(1))
	assert.Equal(t, "rank 1.1 b", rows[2].Name(2))
	lost := rows[1].Records[1]
	assert.Equal(t, Lost, lost.State)
	assert.Equal(t, [2]time.Duration{3 * second, 5 * second}, [2]time.Duration{lost.Start, lost.End()})
	assert.Equal(t, 5*second, rows[2].Records[0].Took)
}

// The picture is XML, has a bar for each item that is wide enough, and does not
// grow with the number of items.
func TestSVG(t *testing.T) {
	bars := func(l *timeline.Loop) (n, size int) {
		var b bytes.Buffer
		require.NoError(t, SVG(&b, l))
		d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				return n, b.Len()
			}
			require.NoError(t, err)
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "path" {
				n += strings.Count(e.Attr[0].Value, "z") // a tick has none
			}
		}
	}
	n, _ := bars(two(10, [2][2]int{{0, 2}, {1, 3}}, [2][2]int{{2, 10}, {}}))
	assert.Equal(t, 3, n)
	_, size := bars(many(100_000))
	assert.Less(t, size, 2<<20)
	for _, nothing := range []*timeline.Loop{two(0), instant()} {
		var b bytes.Buffer
		require.NoError(t, SVG(&b, nothing))
		assert.NotContains(t, b.String(), "NaN")
		assert.NotContains(t, b.String(), "Inf")
	}
}

// instant is a loop that took no time that a clock shows, and neither did its item.
func instant() *timeline.Loop {
	l := two(0)
	l.Records = []timeline.Record{{}}
	return l
}

// many is a loop of many short items in 64 slots, of which some fail.
func many(n int) *timeline.Loop {
	const slots = 64
	l := &timeline.Loop{
		Head:  timeline.Head{Kind: "map", Items: n, Ranks: []timeline.Rank{{Host: "node", Slots: slots}}},
		Ended: true, Notes: map[int]timeline.Note{},
	}
	for slot := range slots {
		at := time.Duration(0)
		for i := slot; i < n; i += slots {
			took := time.Duration(1+i*7919%1000) * time.Microsecond
			r := timeline.Record{Start: at, Took: took, Index: i, Slot: int32(slot)}
			if i%5000 == 4999 {
				r.State = timeline.Failed
			}
			l.Records = append(l.Records, r)
			at += took + 10*time.Microsecond
		}
		l.Elapsed = max(l.Elapsed, at)
	}
	return l
}

func TestTrace(t *testing.T) {
	l := two(10, [2][2]int{{0, 2}, {1, 3}})
	l.Began = time.Unix(100, 0)
	l.Notes[1] = timeline.Note{Index: 1, Text: "b.txt"}
	second := two(10, [2][2]int{{0, 2}, {}})
	second.Began = time.Unix(200, 0)
	var b bytes.Buffer
	require.NoError(t, Trace(&b, []*timeline.Loop{l, second}))
	var file struct{ TraceEvents []event }
	require.NoError(t, json.Unmarshal(b.Bytes(), &file))
	var bars []event
	for _, e := range file.TraceEvents {
		if e.Phase == "X" {
			bars = append(bars, e)
		}
	}
	assert.Equal(t, []event{
		{Name: "item 0", Phase: "X", Time: 0, Took: 2e6, PID: 1, TID: 0, State: "done"},
		{Name: "item 1", Phase: "X", Time: 1e6, Took: 2e6, PID: 1, TID: 1, State: "done", Args: map[string]any{"note": "b.txt"}},
		{Name: "item 0", Phase: "X", Time: 100e6, Took: 2e6, PID: 2, TID: 0, State: "done"},
	}, bars)
	assert.Len(t, file.TraceEvents, 3+2*3)
}

// The page is one file that loads nothing, its own part is small, and no text of a
// program can end its data.
func TestPageIsOneFile(t *testing.T) {
	assert.Less(t, len(pageText)+len(pictureScript)+len(pageScript), 60_000)
	l := two(10, [2][2]int{{0, 2}, {1, 3}})
	l.Label = "</script><script>alert(1)</script>{{script}}"
	var b bytes.Buffer
	require.NoError(t, Page(&b, []*timeline.Loop{l}))
	page := b.String()
	assert.Equal(t, 2, strings.Count(page, "</script>"))
	for _, outside := range []string{"http:", "https:", "import ", "src=", "@import", "url("} {
		assert.NotContains(t, page, outside)
	}
}
