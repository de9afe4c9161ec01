package ame

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A rank that sends what the protocol does not let it send ends the job, before
// it has taken the memory of another one.
func TestRankThatFloods(t *testing.T) {
	long := strings.Repeat("x", chunk)
	other := func(n int) commID { return newCommID(2, uint32(n+1)) }
	for name, test := range map[string]struct {
		frame func(n int) (header, string)
		want  string
	}{
		"messages without credit": {
			func(int) (header, string) { return header{kind: kindMessage, flags: flagCounted}, long },
			"rank 2 on raw: has sent 20971520 bytes and more that rank 0 has not received, without credit for them",
		},
		"unknown communicators": {
			func(n int) (header, string) { return header{kind: kindMessage, comm: other(n)}, "" },
			"speaks on more than 256 communicators that rank 0 does not know",
		},
		"waits on unknown communicators": {
			func(n int) (header, string) {
				if n < 2*maxUnknown {
					return header{kind: kindWhere, comm: other(n)}, ""
				}
				return header{kind: kindMessage, comm: other(n)}, ""
			},
			"speaks on more than 256 communicators that rank 0 does not know",
		},
		"an unknown communicator": {
			func(int) (header, string) { return header{kind: kindMessage, comm: other(1)}, long },
			"has sent 268435456 bytes and more on communicators that rank 0 does not know",
		},
		"exposed parts": {
			func(n int) (header, string) {
				return header{kind: kindPart, flags: flagExposed, tag: uint32(n + 1), call: call{op: opGather}}, strings.Repeat("x", exposureSize)
			},
			"has exposed more than 256 parts to rank 0",
		},
		"answers": {
			func(n int) (header, string) { return header{kind: kindFetched, tag: uint32(n + 1)}, "" },
			"has exposed more than 256 parts to rank 0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				comms, raw := withRaw(t, peerOn("raw", 0), 0)
				defer raw.Close()
				go func() {
					for n := 0; ; n++ {
						h, body := test.frame(n)
						h.source, h.dest, h.length = 2, 0, uint64(len(body))
						if _, err := raw.Write(append(h.appendTo(nil), body...)); err != nil {
							return
						}
					}
				}()
				_, err := comms[1].Recv(t.Context(), 2, 1)
				assert.ErrorContains(t, err, test.want)
			})
		})
	}
}

// A rank that asks without end, and reads no answer, keeps few goroutines of another
// one waiting.
func TestRankThatAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms, raw := withRaw(t, peerOn("raw", 0), 0)
		go comms[0].Barrier(t.Context()) // so that it has something to say
		synctest.Wait()
		before := runtime.NumGoroutine()
		for range 5000 {
			writeFrame(raw, header{kind: kindWhere, call: call{op: opBarrier}, source: 2, dest: 0, tag: 1}, "")
		}
		assert.Less(t, runtime.NumGoroutine(), before+64*maxAnswers+10)
		assert.Greater(t, runtime.NumGoroutine(), before+32*maxAnswers)
		raw.Close()
	})
}

// What is counted against a rank that speaks early is forgotten when the
// communicator is known.
func TestUnknownBecomesKnown(t *testing.T) {
	m := newMatcher(0)
	for n := range 3 * maxUnknown {
		id := newCommID(1, uint32(n+1))
		for rank := 1; rank < 3; rank++ {
			a := aMessage(rank, 1, strings.Repeat("x", 1<<20))
			_, conflict := m.deliver(id, a)
			require.Nil(t, conflict)
			require.NoError(t, a.excess, fmt.Sprint(n))
		}
		m.open(id, whole(0, 3), intolerant)
		require.NotNil(t, m.take(id, pattern{kind: kindMessage, source: 1, tag: 1}))
	}
	assert.Equal(t, unknown{}, *m.unknown[1])
	assert.Equal(t, unknown{}, *m.unknown[2])
}
