package ame

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShrinkMisuse(t *testing.T) {
	comms := connectAll(t, overMemory, 2)
	shrinkAll(t, comms, 0, 1)
	_, err := comms[1].Shrink(t.Context())
	assert.ErrorContains(t, err, "has been shrunk before")

	dups := make([]*Comm, 2)
	comms = connectAll(t, overMemory, 2)
	noErrors(t, each(comms, func(c *Comm) (err error) { dups[c.Rank()], err = c.Dup(t.Context()); return err }))
	dups[0].Close()
	_, err = dups[0].Shrink(t.Context())
	assert.ErrorIs(t, err, ErrClosed)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = dups[1].Shrink(ctx)
	assert.ErrorIs(t, err, context.Canceled)
	shrinkAll(t, dups[1:], 1)
	require.NoError(t, comms[0].Close())
	_, err = comms[0].Shrink(t.Context())
	assert.ErrorIs(t, err, ErrClosed)

	alone := connectAll(t, overMemory, 1)
	shrinkAll(t, alone, 0)
}

// Ranks on the wire that do not make a group break the protocol.
func TestShrinkFrames(t *testing.T) {
	for name, body := range map[string]string{
		"not whole":     "\x00\x00\x00",
		"no such rank":  "\x00\x00\x00\x03",
		"twice":         "\x00\x00\x00\x02\x00\x00\x00\x02",
		"without it":    "\x00\x00\x00\x00\x00\x00\x00\x01",
		"more than are": "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03",
	} {
		synctest.Test(t, func(t *testing.T) {
			comms, raw := withRaw(t, peerOn("raw", 0), 0)
			defer raw.Close()
			writeFrame(raw, header{kind: kindShrink, source: 2}, body)
			assert.ErrorIs(t, comms[0].Barrier(t.Context()), ErrLost, name)
		})
	}
}
