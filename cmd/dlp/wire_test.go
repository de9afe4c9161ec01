package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReportsTravel(t *testing.T) {
	for _, want := range []report{
		{},
		{Index: 7, Attempt: 2, Slot: 3, Pid: 9, Status: 137, Signal: 9, Started: 1e18, Took: time.Second, TimedOut: true, Note: "a\xc3\xa9", Tail: "b", Sizes: [2]int64{1, 2}, Apart: true, Lines: 4},
		{Output: [2][]byte{[]byte("\x00\xff"), nil}},
		{Output: [2][]byte{nil, []byte("err")}},
	} {
		b := want.encode()
		got, err := decodeReport(b)
		require.NoError(t, err)
		for i := range want.Output {
			assert.Equal(t, string(want.Output[i]), string(got.Output[i]))
		}
		got.Output = want.Output
		assert.Equal(t, want, got)
		later, err := decodeReport(append(b, 2*99, 1, 2*99|isText, 2, 'x', 'y'))
		require.NoError(t, err)
		later.Output = want.Output
		assert.Equal(t, want, later, "with fields of a later version")
	}
}

func TestReportsThatAreNone(t *testing.T) {
	b := (&report{Index: 1000, Output: [2][]byte{[]byte("out"), nil}}).encode()
	for _, cut := range []int{1, 2, 4, 5, len(b) - 1} {
		_, err := decodeReport(b[:cut])
		assert.ErrorIs(t, err, errReport, "%q", b[:cut])
	}
}

func FuzzDecodeReport(f *testing.F) {
	f.Add((&report{Note: "x", Output: [2][]byte{[]byte("out"), []byte("err")}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeReport(b); err == nil && len(r.Output[0])+len(r.Output[1]) > len(b) {
			t.Error("more output than there is")
		}
	})
}
