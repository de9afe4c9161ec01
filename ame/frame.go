package ame

import (
	"encoding/binary"
	"fmt"
)

// version is the protocol version that both ends of a connection must speak.
const version = 1

// headerSize is the length in bytes of the header in front of every body.
const headerSize = 32

// maxBody is the longest body that a frame may announce, in bytes.
const maxBody = 1 << 62

// maxControlBody bounds the bodies of frames that ranks exchange about the
// job itself: join, welcome, left, fail.
const maxControlBody = 64 << 20

// kind says what a frame is for. The values are part of the protocol.
type kind uint8

const (
	kindMessage kind = 1 + iota // point to point, by Send
	kindBcast
	kindGather
	kindBarrier
	kindDup
	kindWaiting // "I have been waiting in this call for a while"
	kindJoin    // first frame of a rank: who it is
	kindWelcome // rank 0: everybody is here, and this is the directory
	kindBye     // last frame of a rank that closes in good order
	kindLeft    // rank 0: the source rank has said bye
	kindFail    // the job cannot go on, and why
	kindEnd
)

var kindNames = [kindEnd]string{
	kindMessage: "message", kindBcast: "bcast", kindGather: "gather", kindBarrier: "barrier", kindDup: "dup",
	kindWaiting: "waiting", kindJoin: "join", kindWelcome: "welcome", kindBye: "bye", kindLeft: "left", kindFail: "fail",
}

func (k kind) String() string {
	if k > 0 && k < kindEnd {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// collective says whether frames of this kind match by sequence number.
func (k kind) collective() bool { return k >= kindBcast && k <= kindDup }

// header is what travels in front of every body.
type header struct {
	kind   kind
	format uint16 // meaning of the body, for the layer above
	comm   uint32 // communicator
	source uint32 // rank that sent the frame first
	dest   uint32 // rank that it is for; rank 0 forwards
	tag    uint32 // of a message; of a collective its sequence number
	root   uint32 // root of a collective; of kindWaiting the kind waited for
	length uint64 // bytes of body that follow
}

// appendTo appends the wire form of h, headerSize bytes.
func (h *header) appendTo(b []byte) []byte {
	b = append(b, version, byte(h.kind))
	b = binary.BigEndian.AppendUint16(b, h.format)
	b = binary.BigEndian.AppendUint32(b, h.comm)
	b = binary.BigEndian.AppendUint32(b, h.source)
	b = binary.BigEndian.AppendUint32(b, h.dest)
	b = binary.BigEndian.AppendUint32(b, h.tag)
	b = binary.BigEndian.AppendUint32(b, h.root)
	return binary.BigEndian.AppendUint64(b, h.length)
}

// parseHeader reads the wire form of a header from the first headerSize bytes
// of b and checks everything that can be checked without knowing the job.
func parseHeader(b []byte) (header, error) {
	_ = b[headerSize-1]
	if b[0] != version {
		return header{}, fmt.Errorf("frame of protocol version %d, want %d", b[0], version)
	}
	h := header{
		kind:   kind(b[1]),
		format: binary.BigEndian.Uint16(b[2:]),
		comm:   binary.BigEndian.Uint32(b[4:]),
		source: binary.BigEndian.Uint32(b[8:]),
		dest:   binary.BigEndian.Uint32(b[12:]),
		tag:    binary.BigEndian.Uint32(b[16:]),
		root:   binary.BigEndian.Uint32(b[20:]),
		length: binary.BigEndian.Uint64(b[24:]),
	}
	switch {
	case h.kind == 0 || h.kind >= kindEnd:
		return header{}, fmt.Errorf("frame of unknown kind %d", b[1])
	case h.length > maxBody:
		return header{}, fmt.Errorf("frame announces %d bytes, at most %d are allowed", h.length, uint64(maxBody))
	case h.kind > kindDup && h.length > maxControlBody:
		return header{}, fmt.Errorf("%v frame announces %d bytes, at most %d are allowed", h.kind, h.length, maxControlBody)
	}
	return h, nil
}
