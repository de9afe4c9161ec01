package ame

import (
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/need"
)

// requireSegment leaves a test out where processes cannot share memory.
func requireSegment(t *testing.T) {
	s, err := newSegment(3)
	if err != nil {
		need.Unable(t, "processes cannot share memory here: %v", err)
	}
	s.release()
}

func TestOfferWire(t *testing.T) {
	offer := memoryOffer{descriptor: 7, token: memoryToken{0: 1, 15: 0xff}}
	wire := "\x01\x00\x14" + "\x00\x00\x00\x07" + "\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\xff"
	assert.Equal(t, wire, string(offer.appendTo(nil)))
	for _, b := range []string{wire, wire + "more, of a later version", "\x07\x00\x02xx" + wire} {
		got, ok := parseOffer([]byte(b))
		assert.True(t, ok)
		assert.Equal(t, offer, got)
	}
	for n := range len(wire) {
		_, ok := parseOffer([]byte(wire[:n]))
		assert.False(t, ok, "%d bytes", n)
	}
	offer.descriptor = inMemory
	assert.Equal(t, "\xff\xff\xff\xff", string(offer.appendTo(nil)[3:7]))
}

// A segment is offered to ranks that all run on one node: as processes, or as
// goroutines of one process, but not as a mixture.
func TestWhoSharesMemory(t *testing.T) {
	own := os.Getpid()
	a, again, b, unknown := &Node{"x", NodeID{1}}, &Node{"y", NodeID{1}}, &Node{"x", NodeID{2}}, &Node{Host: "x"}
	for name, test := range map[string]struct {
		peers  []Peer
		offers bool
	}{
		"processes":           {[]Peer{{a, 1}, {again, 2}, {a, 3}}, true},
		"goroutines":          {[]Peer{{a, own}, {again, own}, {a, own}}, true},
		"two nodes":           {[]Peer{{a, 1}, {a, 2}, {b, 3}}, false},
		"unknown nodes":       {[]Peer{{unknown, 1}, {unknown, 2}, {unknown, 3}}, false},
		"same pids":           {[]Peer{{a, 1}, {a, 1}, {a, 2}}, false},
		"mixture":             {[]Peer{{a, 1}, {a, 2}, {a, 2}}, false},
		"same pid, two nodes": {[]Peer{{a, 1}, {b, 1}, {a, 2}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "processes" {
				requireSegment(t)
			}
			var m memory
			record := m.share(test.peers, slog.New(slog.DiscardHandler))
			defer m.close()
			assert.Equal(t, test.offers, m.segment != nil)
			assert.Equal(t, test.offers, record != nil)
		})
	}
}

// A rank that numbers its processes as another container does finds nothing.
func TestOwnSegmentOfAnotherProcess(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	var m memory
	offer := memoryOffer{descriptor: inMemory, token: memoryToken{1}}
	m.join(offer.appendTo(nil), Peer{}, 2, log)
	assert.True(t, m.segment == nil)

	s := newOwnSegment(2)
	m.join(s.offer.appendTo(nil), Peer{}, 2, log)
	require.True(t, s == m.segment)
	_, ok := s.give()
	assert.True(t, ok)
	m.close()
	_, ok = ownSegments.Load(s.offer.token)
	assert.False(t, ok, "nothing of it is left")
	assert.False(t, m.hold(), "nor can it be used")
}
