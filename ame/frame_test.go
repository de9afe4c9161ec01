package ame

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/printable"
)

var frameCases = []struct {
	name   string
	header header
	wire   string
}{
	{
		"message",
		header{kind: kindMessage, format: 0x0102, comm: newCommID(8, 3), source: 4, dest: 5, tag: 0x7fffffff, length: 6},
		"\x04\x01\x00\x00\x01\x02\x00\x00" + "\x00\x00\x00\x08\x00\x00\x00\x03" + "\x00\x00\x00\x04\x00\x00\x00\x05" +
			"\x7f\xff\xff\xff\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x06",
	},
	{
		"longest part of a bcast, in chunks",
		header{kind: kindPart, call: call{op: opBcast, use: 7, root: 9}, flags: flagChunked, comm: 1<<64 - 1, dest: 0x01020304, tag: 0xfffffffe, length: 1 << 62},
		"\x04\x02\x01\x00\x00\x00\x07\x01" + "\xff\xff\xff\xff\xff\xff\xff\xff" + "\x00\x00\x00\x00\x01\x02\x03\x04" +
			"\xff\xff\xff\xfe\x00\x00\x00\x09" + "\x40\x00\x00\x00\x00\x00\x00\x00",
	},
	{
		"waiting in a barrier in memory",
		header{kind: kindWaiting, call: call{op: opBarrier, algorithm: algorithmMemory}, comm: 1, source: 2, tag: 7, length: 4},
		"\x04\x10\x03\x01\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x02\x00\x00\x00\x00" +
			"\x00\x00\x00\x07\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x04",
	},
	{
		"fail of the longest body",
		header{kind: kindFail, source: 1, length: 64 << 20},
		"\x04\x16\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x01\x00\x00\x00\x00" +
			"\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x04\x00\x00\x00",
	},
}

func TestHeader(t *testing.T) {
	for _, c := range frameCases {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.wire, string(c.header.appendTo(nil)))
			h, err := parseHeader([]byte(c.wire))
			require.NoError(t, err)
			assert.Equal(t, c.header, h)
		})
	}
}

func TestHeaderRefused(t *testing.T) {
	good := header{kind: kindMessage, source: 1}
	for name, c := range map[string]struct {
		offset int
		bytes  string
		want   string
	}{
		"version 0":           {0, "\x00", "protocol version 0, want 4"},
		"version 1":           {0, "\x01", "protocol version 1, want 4"},
		"kind 0":              {1, "\x00", "unknown kind 0"},
		"between the kinds":   {1, "\x04", "unknown kind 4"},
		"last kind":           {1, "\xff", "unknown kind 255"},
		"one byte too long":   {32, "\x40\x00\x00\x00\x00\x00\x00\x01", "announces 4611686018427387905 bytes"},
		"longest of all":      {32, "\xff\xff\xff\xff\xff\xff\xff\xff", "announces 18446744073709551615 bytes"},
		"fail one too long":   {1, "\x16", "fail frame announces 67108865 bytes"},
		"bye of a huge body":  {1, "\x13", "bye frame announces 67108865 bytes"},
		"welcome too long":    {1, "\x12", "welcome frame announces"},
		"waiting with a body": {1, "\x10", "waiting frame announces"},
		"exposed message":     {7, "\x05", "message frame of 67108865 bytes with a part that is exposed"},
		"long exposure":       {1, "\x02\x00\x00\x00\x00\x00\x05", "part frame of 67108865 bytes with a part that is exposed"},
		"chunk of chunks":     {1, "\x03\x00\x00\x00\x00\x00\x01", "chunk frame in chunks"},
	} {
		t.Run(name, func(t *testing.T) {
			good.length = 64<<20 + 1
			b := good.appendTo(nil)
			copy(b[c.offset:], c.bytes)
			_, err := parseHeader(b)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestNames(t *testing.T) {
	assert.Equal(t, "kind 0", kind(0).String())
	assert.Equal(t, "kind 200", kind(200).String())
	assert.Equal(t, "collective 200", op(200).String())
	assert.Equal(t, "3", commID(3).String())
	assert.Equal(t, "2.3", newCommID(2, 3).String())
}

// readConn is a connection from which tests read what they were given.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }

// inChunks is the wire form of a message in chunks of at most n bytes, of which
// all but missing bytes have been sent.
func inChunks(h header, body []byte, n, missing int) []byte {
	h.flags, h.length = flagChunked, uint64(len(body))
	wire := h.appendTo(nil)
	for body := body[:len(body)-missing]; len(body) > 0; body = body[min(n, len(body)):] {
		piece := header{kind: kindChunk, source: h.source, dest: h.dest, length: uint64(min(n, len(body)))}
		wire = append(piece.appendTo(wire), body[:piece.length]...)
	}
	return wire
}

func TestBodyGrowsWithWhatComes(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	h := header{kind: kindMessage, source: 1}
	for _, bounds := range []bodyBounds{{1, 1}, {1, 1000}, {100, 1 << 13}, {1<<14 - 1, 1 << 14}, {1, 1 << 20}, {1 << 14, 1}, {1 << 20, 1}} {
		for _, n := range []int{999, 1000, 1 << 13, 1 << 14} {
			if bounds.piece == 1 && bounds.ahead < uint64(len(body)) {
				body = body[:20]
			}
			l := newStream(0, 1, readConn{Reader: bytes.NewReader(inChunks(h, body, n, 0))})
			l.frames.bounds = bounds
			_, b, err := l.read()
			require.NoError(t, err)
			assert.Equal(t, body, b)
			assert.Empty(t, l.frames.bodies.bodies)
		}
	}
}

func TestHugeLengthAllocatesLittle(t *testing.T) {
	h := header{kind: kindMessage, source: 1, flags: flagChunked, length: maxBody}
	piece := header{kind: kindChunk, source: 1, length: chunk}
	l := newStream(0, 1, readConn{Reader: io.MultiReader(bytes.NewReader(piece.appendTo(h.appendTo(nil))), bytes.NewReader(make([]byte, 5000)))})
	l.frames.bounds = bodyBounds{ahead: 1 << 10, piece: 1 << 10}
	_, _, err := l.read()
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.ErrorContains(t, err, "in the middle of a chunk frame of 1048576 bytes")
	assert.Len(t, l.frames.into.pieces, 5)
	assert.Empty(t, l.frames.into.bytes)
}

// A body goes on by another reader, at any byte of it.
func TestBodyGoesOnElsewhere(t *testing.T) {
	body := []byte("0123456789abcdefghij")
	wire := inChunks(header{kind: kindMessage, source: 1}, body, 7, 0)
	for cut := headerSize; cut < len(wire); cut++ {
		first := newFrameReader(0, 1, bytes.NewReader(wire[:cut]))
		first.bounds = bodyBounds{ahead: 3, piece: 5}
		frames := 0
		first.took = func(*header) { frames++ }
		_, _, err := first.read()
		require.Error(t, err)
		first.giveUp()
		rest := wire[headerSize:]
		for range frames - 1 {
			rest = rest[headerSize+7:]
		}
		second := newFrameReader(0, 0, bytes.NewReader(rest))
		second.bounds, second.bodies = first.bounds, first.bodies
		_, got, err := second.read()
		require.NoError(t, err, "cut at %d", cut)
		assert.Equal(t, body, got)
	}
}

// A read deadline may end a read at any byte; the next read goes on there.
func TestReadGoesOnAfterDeadline(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	want := header{kind: kindMessage, source: 1, tag: 9, length: 40}
	wire := append(want.appendTo(nil), bytes.Repeat([]byte{7}, 40)...)
	l := newStream(0, 1, near)
	for i, b := range wire {
		near.SetReadDeadline(time.Unix(1, 0))
		_, _, err := l.read()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "byte %d", i)
		near.SetReadDeadline(time.Time{})
		if i+1 == len(wire) {
			go far.Write([]byte{b})
			break
		}
		// One byte is taken by a read that then waits for the next one.
		sent := make(chan struct{})
		go func() {
			far.Write([]byte{b})
			near.SetReadDeadline(time.Unix(1, 0))
			close(sent)
		}()
		_, _, err = l.read()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "byte %d", i)
		<-sent
	}
	h, body, err := l.read()
	require.NoError(t, err)
	assert.Equal(t, want, h)
	assert.Equal(t, wire[headerSize:], body)
}

// A write that ctx ends before its first byte leaves the link whole; one that
// is cut off leaves it closed to all that follow.
func TestWriteEndsWithItsContext(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	l := newStream(0, 1, near)
	busy, endBusy := context.WithCancel(context.Background())
	cut := make(chan error, 1)
	go func() { cut <- l.write(busy, header{kind: kindMessage}, make([]byte, 10)) }()
	_, err := io.ReadFull(far, make([]byte, 8)) // it is in the middle now
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err = l.write(ctx, header{kind: kindMessage}, nil)
	assert.ErrorAs(t, err, new(unsent))
	assert.ErrorIs(t, err, context.Canceled)

	endBusy()
	assert.ErrorIs(t, <-cut, context.Canceled)
	err = l.write(context.Background(), header{kind: kindMessage}, nil)
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotErrorAs(t, err, new(unsent))
}

// FuzzFrames feeds a connection's reader with any bytes: it must not panic or
// allocate more than has come, and what it takes must be written alike.
func FuzzFrames(f *testing.F) {
	for _, c := range frameCases {
		f.Add([]byte(c.wire))
		f.Add(append([]byte(c.wire), "body and more"...))
		f.Add([]byte(c.wire[:headerSize-1]))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		l := newStream(0, 1, readConn{Reader: bytes.NewReader(wire)})
		l.frames.bounds = bodyBounds{ahead: 64, piece: 64}
		var again []byte
		for {
			h, body, err := l.read()
			if err != nil {
				break
			}
			if int(h.dest) == 0 && h.flags&flagChunked != 0 {
				return // put together of several frames
			}
			again = append(h.appendTo(again), body...)
		}
		assert.True(t, bytes.HasPrefix(wire, again))
		if l.frames.into != nil {
			assert.LessOrEqual(t, len(l.frames.into.bytes), 64+2*len(wire))
		}
	})
}

func TestFailureWire(t *testing.T) {
	for name, c := range map[string]struct {
		failure failure
		wire    string
	}{
		"lost":     {failure{reason: reasonLost, peer: 2, text: "connection reset by peer"}, "\x01\x00\x00\x00\x02connection reset by peer"},
		"aborted":  {failure{reason: reasonAborted, peer: 0, text: ""}, "\x02\x00\x00\x00\x00"},
		"mismatch": {failure{reason: reasonMismatch, peer: 1, text: "ä"}, "\x03\x00\x00\x00\x01\xc3\xa4"},
		"start-up": {failure{reason: reasonStartup, peer: -1, text: "missing"}, "\x05\xff\xff\xff\xffmissing"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.wire, string(c.failure.appendTo(nil)))
			f, err := parseFailure([]byte(c.wire), 3)
			require.NoError(t, err)
			assert.Equal(t, c.failure, *f)
		})
	}
	_, err := parseFailure([]byte("\x01\x00\x00\x00"), 3)
	assert.ErrorContains(t, err, "4 bytes")
	_, err = parseFailure([]byte("\x01\x00\x00\x00\x03"), 3)
	assert.ErrorContains(t, err, "rank 3 of 3")
	long := failure{reason: reasonAborted, text: string(make([]byte, 1<<20))}
	assert.Len(t, long.appendTo(nil), 5+maxFailureText)
}

func TestDirectoryWire(t *testing.T) {
	a, nameless, seven := &Node{Host: "a", ID: NodeID{1}}, &Node{}, &Node{Host: "node07", ID: NodeID{15: 2}}
	peers := []Peer{{a, 1}, {nameless, 0}, {seven, 0x01020304}, {&Node{Host: "a", ID: NodeID{1}}, 2}}
	zeros := strings.Repeat("\x00", 15)
	wire := "\x00\x00\x00\x03" + "\x01" + zeros + "\x00\x01a" + "\x00" + zeros + "\x00\x00" + zeros + "\x02" + "\x00\x06node07" +
		"\x00\x00\x00\x00" + "\x00\x00\x00\x01" + "\x00\x00\x00\x01" + "\x00\x00\x00\x00" + "\x00\x00\x00\x02" + "\x01\x02\x03\x04" + "\x00\x00\x00\x00" + "\x00\x00\x00\x02"
	assert.Equal(t, wire, string(appendDirectory(nil, peers)))
	got, rest, err := parseDirectory([]byte(wire+"more, of a later version"), 4)
	require.NoError(t, err)
	assert.Equal(t, peers, got)
	assert.Equal(t, "more, of a later version", string(rest))
	assert.Same(t, got[0].Node, got[3].Node, "ranks of one node share it")
	for n := range len(wire) {
		_, _, err := parseDirectory([]byte(wire[:n]), 4)
		assert.Error(t, err, "%d bytes", n)
	}
}

func FuzzControlBodies(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x02connection reset by peer"))
	f.Add(appendDirectory(nil, []Peer{{&Node{Host: "a"}, 1}, {&Node{}, 2}}))
	f.Add(binary.BigEndian.AppendUint32(nil, noRank))
	f.Fuzz(func(t *testing.T, b []byte) {
		if f, err := parseFailure(b, 5); err == nil {
			assert.NotEmpty(t, (&Error{Op: "recv", Peer: f.peer, Err: f}).Error())
			if len(f.text) <= maxFailureText {
				assert.Equal(t, string(b[:5])+printable.Text(string(b[5:])), string(f.appendTo(nil)))
			}
		}
		if peers, _, err := parseDirectory(b, 2); err == nil {
			again, _, err := parseDirectory(appendDirectory(nil, peers), 2)
			assert.NoError(t, err)
			assert.Equal(t, peers, again)
		}
	})
}

// Bodies in chunks are put together, each source's for itself, while other
// frames pass between; those for other ranks come as they are.
func TestChunks(t *testing.T) {
	var wire []byte
	frame := func(h header, body string) { wire = append(h.appendTo(wire), body...) }
	first := header{kind: kindMessage, source: 1, tag: 7, flags: flagChunked, length: 6}
	second := header{kind: kindPart, call: call{op: opGather}, source: 2, tag: 1, flags: flagChunked, length: 2}
	small := header{kind: kindMessage, source: 1, tag: 8, length: 1}
	through := header{kind: kindMessage, source: 1, dest: 2, flags: flagChunked, length: 4}
	piece := header{kind: kindChunk, source: 1, dest: 2, length: 4}
	frame(first, "")
	frame(header{kind: kindChunk, source: 1, length: 2}, "ab")
	frame(second, "")
	frame(through, "")
	frame(small, "x")
	frame(header{kind: kindChunk, source: 2, length: 2}, "AB")
	frame(piece, "####")
	frame(header{kind: kindChunk, source: 1, length: 4}, "cdef")
	r := newFrameReader(0, 0, bytes.NewReader(wire))
	for _, want := range []struct {
		header header
		body   string
	}{{through, ""}, {small, "x"}, {second, "AB"}, {piece, "####"}, {first, "abcdef"}} {
		h, body, err := r.read()
		require.NoError(t, err)
		assert.Equal(t, want.header, h)
		assert.Equal(t, want.body, string(body))
	}
	assert.Empty(t, r.bodies.bodies)
}

// A body on its way lets other frames pass between two of its chunks.
func TestFramesPassALongBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms, raw := withRaw(t, peerOn("raw", 0), 0)
		defer raw.Close()
		go comms[0].Send(t.Context(), 2, 1, Payload{Body: make([]byte, 3*chunk)})
		next := func() header {
			b := make([]byte, headerSize)
			_, err := io.ReadFull(raw, b)
			require.NoError(t, err)
			h, err := parseHeader(b)
			require.NoError(t, err)
			if h.flags&flagChunked == 0 {
				_, err = io.CopyN(io.Discard, raw, int64(h.length))
				require.NoError(t, err)
			}
			return h
		}
		first := next()
		require.Equal(t, kindMessage, first.kind)
		require.Equal(t, uint8(flagChunked|flagCounted), first.flags)
		go comms[0].Abort(errors.New("enough"))
		synctest.Wait() // until it waits for the link
		var kinds []kind
		for len(kinds) == 0 || kinds[len(kinds)-1] != kindFail {
			kinds = append(kinds, next().kind)
		}
		assert.Less(t, len(kinds), 4, "it does not come last: %v", kinds)
	})
}

func TestChunksRefused(t *testing.T) {
	open := header{kind: kindMessage, source: 1, flags: flagChunked, length: 6}
	for name, c := range map[string]struct {
		frames []header
		want   string
	}{
		"chunk of nothing":       {[]header{{kind: kindChunk, source: 1, length: 1}}, "chunk of no body from rank 1"},
		"of another's":           {[]header{open, {kind: kindChunk, source: 2}}, "chunk of no body from rank 2"},
		"too long":               {[]header{open, {kind: kindChunk, source: 1, length: 7}}, "chunk of 7 bytes from rank 1 where 6 are missing"},
		"one inside of another":  {[]header{open, open}, "rank 1 begins a body in the middle of another"},
		"long and not in chunks": {[]header{{kind: kindPart, source: 1, length: chunk + 1}}, "part frame announces 1048577 bytes, at most 1048576 are allowed but in chunks"},
		"a chunk without an end": {[]header{open, {kind: kindChunk, source: 1, length: 6}}, "in the middle of a chunk frame of 6 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			var wire []byte
			for _, h := range c.frames {
				wire = h.appendTo(wire)
			}
			_, _, err := newFrameReader(0, 0, bytes.NewReader(wire)).read()
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// A rank that breaks the protocol adds nothing to what another one is saying: the
// links of a job put bodies together in the same place.
func TestChunkInTheNameOfAnother(t *testing.T) {
	open := header{kind: kindMessage, source: 1, flags: flagChunked, length: 6}
	piece := header{kind: kindChunk, source: 1, length: 3}
	first, second := append(piece.appendTo(open.appendTo(nil)), "abc"...), append(piece.appendTo(nil), "def"...)
	good := newFrameReader(0, 1, io.MultiReader(bytes.NewReader(first), bytes.NewReader(second)))
	bad := newFrameReader(0, 2, bytes.NewReader(append(piece.appendTo(nil), "xyz"...)))
	bad.bodies = good.bodies
	require.NoError(t, good.begin())
	_, _, err := bad.read()
	assert.ErrorContains(t, err, "chunk frame in the name of rank 1")
	_, body, err := good.read()
	require.NoError(t, err)
	assert.Equal(t, "abcdef", string(body))
}
