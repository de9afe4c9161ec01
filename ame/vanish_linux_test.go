package ame

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestUnanswered(t *testing.T) {
	for name, c := range map[string]struct {
		retransmits uint8
		probes      uint8
		lastAck     uint32 // milliseconds ago
		want        bool
	}{
		"idle, probed":                        {0, 0, 15_000, false},
		"idle, then a first loss":             {1, 0, 31_000, false},
		"loss, answered in between":           {5, 0, 12_000, false},
		"stopped with a full buffer":          {0, 0, 4_000, false}, // its kernel answers window probes
		"nobody there, its window full":       {0, 5, 31_000, true},
		"nobody there":                        {7, 0, 30_000, true},
		"nobody there, slow retransmissions":  {3, 0, 45_000, true},
		"nobody there, not yet for very long": {6, 0, 29_999, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, unanswered(&unix.TCPInfo{Retransmits: c.retransmits, Probes: c.probes, Last_ack_recv: c.lastAck}))
		})
	}
}

func TestHealthyConnectionHasNotVanished(t *testing.T) {
	comms := connectAll(t, overTCP, 2)
	conn := comms[0].job.mesh.to(1).(*stream).conn
	assert.False(t, vanished(conn))
	require.NoError(t, comms[0].Close())
	assert.False(t, vanished(conn), "closed")
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	assert.False(t, vanished(near), "no socket")
}
