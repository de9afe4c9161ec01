package ame

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is taken for a hello is written alike, but for the bytes nobody looks at.
func FuzzHello(f *testing.F) {
	f.Add([]byte(openerWire))
	f.Add([]byte(listenerWire))
	f.Add([]byte(strings.Repeat("x", helloSize)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < helloSize {
			return
		}
		h, err := parseHello(b)
		if err != nil {
			assert.ErrorIs(t, err, ErrAuth)
			return
		}
		reserved := len(helloMagic) + 2
		b = bytes.Clone(b[:helloSize])
		copy(b[reserved:], "\x00\x00")
		assert.Equal(t, b, h.appendTo(nil))
	})
}

// What a rank says of itself when it joins, and what stands behind a directory,
// is found again when it is written anew, but for what cannot be printed in the
// name of its node.
func FuzzRecords(f *testing.F) {
	entry := appendPeer(nil, Peer{Node: &Node{Host: "node07", ID: NodeID{1}}, PID: 7})
	f.Add(appendRecord(entry, recordClaim, []byte("claim")))
	f.Add((&memoryOffer{descriptor: 3, token: [16]byte{1}}).appendTo(entry))
	f.Add(appendRecord(appendRecord(entry, 77, []byte("later")), recordClaim, nil))
	f.Add(entry)
	f.Fuzz(func(t *testing.T, b []byte) {
		peer, records, err := parsePeer(b)
		if err != nil {
			return
		}
		written := append(appendPeer(nil, peer), records...)
		again, rest, err := parsePeer(written)
		assert.NoError(t, err)
		assert.Equal(t, peer, again)
		assert.Equal(t, records, rest)
		if claim, ok := findRecord(records, recordClaim); ok {
			again, ok := findRecord(appendRecord(nil, recordClaim, claim), recordClaim)
			assert.True(t, ok)
			assert.Equal(t, claim, again)
		}
		if o, ok := parseOffer(records); ok {
			again, ok := parseOffer(o.appendTo(nil))
			assert.True(t, ok)
			assert.Equal(t, o, again)
		}
	})
}

func FuzzAddresses(f *testing.F) {
	f.Add(appendAddresses(nil, []string{"10.0.0.1:5", "[::1]:6"}))
	f.Add(appendAddresses(nil, nil))
	f.Add([]byte("\x00\x02\x00\x01a\xff\xffb"))
	f.Fuzz(func(t *testing.T, b []byte) {
		addresses, err := parseAddresses(b)
		if err == nil {
			require.LessOrEqual(t, len(addresses), maxAddresses)
			assert.True(t, bytes.HasPrefix(b, appendAddresses(nil, addresses)))
		}
	})
}

// Bodies in chunks, of several ranks and begun any number of times, hold no
// more memory than what has come, and what was taken ahead for each.
func FuzzChunks(f *testing.F) {
	chunked := header{kind: kindMessage, source: 1, flags: flagChunked, length: 1 << 60}
	wire := chunked.appendTo(nil)
	piece := header{kind: kindChunk, source: 1, length: 3}
	wire = append(piece.appendTo(wire), "abc"...)
	f.Add(wire, uint8(2))
	f.Add(bytes.Repeat(wire, 3), uint8(1))
	f.Fuzz(func(t *testing.T, wire []byte, sources uint8) {
		// Most of what a fuzzer invents has a source that is no rank.
		r := newFrameReader(0, 0, bytes.NewReader(rewrite(wire, sources)))
		r.bounds = bodyBounds{ahead: 16, piece: 64}
		for {
			_, _, err := r.read()
			held := 0
			for _, b := range r.bodies.bodies {
				here := len(b.bytes)
				for _, p := range b.pieces {
					here += len(p.bytes)
				}
				require.LessOrEqual(t, b.done, uint64(here))
				held += here
			}
			require.LessOrEqual(t, held, len(wire)+64*len(r.bodies.bodies))
			if err != nil {
				return
			}
		}
	})
}

// rewrite makes whole frames of wire, with headers that are taken: each 40
// bytes begin one whose kind, flags, source and length are drawn from them.
func rewrite(wire []byte, sources uint8) []byte {
	var out []byte
	for len(wire) >= headerSize {
		b := wire[:headerSize]
		wire = wire[headerSize:]
		h := header{kind: []kind{kindMessage, kindPart, kindChunk}[b[1]%3], source: uint32(b[19] % (sources%4 + 1))}
		if h.kind != kindChunk {
			h.flags = b[7] & flagChunked
		}
		h.length = uint64(b[39])
		if h.flags != 0 {
			h.length |= uint64(b[38]) << 8 << (b[37] % 48)
		}
		out = h.appendTo(out)
		if h.flags == 0 {
			n := min(int(h.length), len(wire))
			out = append(out, wire[:n]...)
			wire = wire[n:]
		}
	}
	return out
}
