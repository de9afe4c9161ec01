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
		b, err := want.encode()
		require.NoError(t, err)
		got, err := decodeReport(b)
		require.NoError(t, err)
		for i := range want.Output {
			assert.Equal(t, string(want.Output[i]), string(got.Output[i]))
		}
		got.Output, got.Inline = want.Output, want.Inline
		assert.Equal(t, want, got)
		for cut := range b {
			_, err := decodeReport(b[:cut])
			assert.Error(t, err)
		}
	}
}

func FuzzDecodeReport(f *testing.F) {
	b, err := (&report{Note: "x", Output: [2][]byte{[]byte("out"), []byte("err")}}).encode()
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeReport(b); err == nil && len(r.Output[0])+len(r.Output[1]) > len(b) {
			t.Error("more output than there is")
		}
	})
}
