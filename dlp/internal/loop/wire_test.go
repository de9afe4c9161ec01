package loop

import (
	"testing"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func payload(format uint16, body []byte) value.Payload {
	return value.Payload{Format: format, Body: body}
}

func reports() map[string]struct {
	report report
	wire   string
} {
	return map[string]struct {
		report report
		wire   string
	}{
		"more":  {report{end: Unknown, intent: asking}, "\x01\x00\x00\x00\x00\x00\x00"},
		"error": {report{end: Unknown, intent: Fail, why: []byte("why")}, "\x04\x03why\x00\x00\x00\x00\x00"},
		"end":   {report{end: 7, intent: working}, "\x00\x00\x08\x00\x00\x00\x00"},
		"back":  {report{end: Unknown, back: []span{{300, 2}}}, "\x00\x00\x00\x01\xac\x02\x02\x00\x00\x00"},
		"times": {report{end: Unknown, times: []byte("log")}, "\x00\x00\x00\x00\x00\x00\x03log"},
		"items": {
			report{end: Unknown, intent: asking, items: []Item{
				{Index: 1, Duration: 5},
				{Index: 2, Status: Value, Payload: payload(0x101, []byte("ab"))},
				{Index: 3, Status: Failed, Payload: payload(0, []byte("no"))},
				{Index: 4, Status: Crashed, Payload: payload(0, []byte("no")), Stack: []byte("stk")},
			}},
			"\x01\x00\x00\x00\x04" + "\x01\x05\x00" + "\x02\x00\x01\x01\x01\x02ab" + "\x03\x00\x03\x02no" + "\x04\x00\x04\x02no\x03stk" + "\x00\x00",
		},
	}
}

func TestReportWire(t *testing.T) {
	for name, test := range reports() {
		assert.Equal(t, test.wire, string(appendReport(nil, &test.report)), name)
		r, err := parseReport([]byte(test.wire))
		require.NoError(t, err, name)
		assert.Equal(t, test.wire, string(appendReport(nil, r)), name)
		assert.Equal(t, test.report.intent, r.intent)
		assert.Equal(t, test.report.end, r.end)
		assert.Equal(t, test.report.back, r.back)
		assert.Equal(t, string(test.report.times), string(r.times))
		for i := range test.report.items {
			assert.Equal(t, test.report.items[i], r.items[i], name)
		}
	}
}

func TestLargeValueFollows(t *testing.T) {
	item := Item{Index: 1, Status: Value, Payload: payload(3, make([]byte, largeValue))}
	r, err := parseReport(appendReport(nil, &report{end: Unknown, items: []Item{item}}))
	require.NoError(t, err)
	assert.Equal(t, follows, r.items[0].Status)
	assert.Nil(t, r.items[0].Payload.Body)
}

func TestParseReportRefuses(t *testing.T) {
	tests := map[string]struct{ wire, want string }{
		"empty":             {"", "cut short"},
		"cut":               {"\x01\x00", "bad number"},
		"unknown intent":    {"\x06\x00\x00\x00\x00\x00\x00", "unknown intent 6"},
		"text too long":     {"\x04\x05why", "cut short"},
		"bytes behind":      {"\x01\x00\x00\x00\x00\x00\x00\x00", "bytes behind its end"},
		"too many items":    {"\x01\x00\x00\x00\xff\xff\xff\xff\x0f", "more entries than bytes"},
		"too many given":    {"\x01\x00\x00\xff\xff\xff\xff\x0f\x00", "more entries than bytes"},
		"empty span":        {"\x01\x00\x00\x01\x05\x00\x00", "empty span"},
		"unknown status":    {"\x01\x00\x00\x00\x01\x01\x05\x09", "unknown status 9"},
		"number of 65 bits": {"\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00", "bad number"},
	}
	for name, test := range tests {
		_, err := parseReport([]byte(test.wire))
		assert.ErrorContains(t, err, test.want, name)
	}
}

// What a hostile rank says must not take rank 0's memory or time.
func TestParseReportBounds(t *testing.T) {
	r := report{end: Unknown, items: make([]Item, maxReported)}
	_, err := parseReport(appendReport(nil, &r))
	require.NoError(t, err)
	r.items = append(r.items, Item{})
	_, err = parseReport(appendReport(nil, &r))
	assert.ErrorContains(t, err, "items, more than a report has")
	r = report{end: Unknown, back: make([]span, maxSpans+1)}
	_, err = parseReport(appendReport(nil, &r))
	assert.ErrorContains(t, err, "spans, more than a report has")
}

func TestWindowWire(t *testing.T) {
	for wire, w := range map[string]window{
		"\x00\x05\x02\x01\x00\x02" + "\x07\x00\x00\x00\x03\x01a" + "\x00\x05\x00\x00\x03\x00": {
			span: span{5, 2}, more: 1,
			inputs: []Input{{Kind: 7, Payload: payload(3, []byte("a"))}, {Timeout: 5, Payload: payload(3, []byte{})}},
		},
		"\x00\x05\x0a\x00\x00\x00":     {span: span{5, 10}},
		"\x01\x00":                     {over: true, why: []byte{}},
		"\x01\x03bad":                  {over: true, why: []byte("bad")},
		"\x00\xac\x02\x01\x00\x03\x00": {span: span{300, 1}, tries: 3},
	} {
		assert.Equal(t, wire, string(appendWindow(nil, w)))
		got, _, err := parseWindow([]byte(wire))
		require.NoError(t, err)
		assert.Equal(t, w, got)
	}
	for _, wire := range []string{"", "\x02", "\x00", "\x00\x05", "\x00\x05\x00\x00\x00", "\x01\x09",
		"\x00\x05\x02\x00\x00\x01\x00\x00\x00\x00\x03\x01a", // one input for two items
		"\x00\x05\x01\x00\x00\x01\x00\x00\x02",              // a form of input that there is not
		"\x00\x05\x01\x00\x00\x00\x00",                      // bytes behind its end
	} {
		_, _, err := parseWindow([]byte(wire))
		assert.Error(t, err, "%q", wire)
	}
}

func FuzzParseReport(f *testing.F) {
	for _, test := range reports() {
		f.Add([]byte(test.wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseReport(b)
		if err != nil {
			return
		}
		again, err := parseReport(appendReport(nil, r))
		require.NoError(t, err)
		require.Len(t, again.items, len(r.items))
		for _, item := range r.items {
			require.GreaterOrEqual(t, item.Index, 0)
			require.GreaterOrEqual(t, item.Duration, time.Duration(0))
		}
		// Whatever a peer says, the manager keeps its state together.
		m := newManager(2, 100, false)
		_, _ = m.assign(1, 1)
		for _, item := range r.items {
			_ = m.finish(1, item.Index, item.Duration)
		}
		for _, s := range r.back {
			_ = m.giveBack(1, s)
		}
		if r.end != Unknown {
			_ = m.foundEnd(1, r.end)
		}
		require.GreaterOrEqual(t, m.held, 0)
	})
}

func FuzzParseWindow(f *testing.F) {
	f.Add([]byte("\x00\x05\x0a\x00\x00"))
	f.Add([]byte("\x00\x05\x02\x01\x02\x00\x00\x00\x00\x03\x01a\x00\x00\x01"))
	f.Add([]byte("\x01\x03bad"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, follow, err := parseWindow(b)
		if err == nil && !w.over {
			require.LessOrEqual(t, len(follow), len(w.inputs))
			require.Positive(t, w.n)
			require.Greater(t, w.end(), w.first)
		}
	})
}
