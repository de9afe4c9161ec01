package ame

import (
	"encoding/binary"
	"fmt"
)

// version is the protocol version that both ends of a connection must speak.
const version = 4

// headerSize is the length in bytes of the header in front of every body.
const headerSize = 40

// maxBody is the longest body that a frame may announce, in bytes.
const maxBody = 1 << 62

// maxControlBody bounds the bodies of frames that ranks exchange about the
// job itself.
const maxControlBody = 64 << 20

// kind says what a frame is for. The values are part of the protocol.
type kind uint8

const (
	kindMessage kind = 1 // point to point, by Send
	kindPart    kind = 2 // one rank's part in a collective, see call
	kindChunk   kind = 3 // piece of the body of a message or part of the same source and dest

	kindWaiting   kind = 16 // "I have been waiting in this call for a while"
	kindJoin      kind = 17 // first frame of a rank: who it is
	kindWelcome   kind = 18 // rank 0: everybody is here, and this is the directory
	kindBye       kind = 19 // last frame of a rank that closes in good order
	kindLeft      kind = 20 // rank 0: the source rank has said bye
	kindLost      kind = 21 // rank 0: the source rank is lost, and why
	kindFail      kind = 22 // the job cannot go on, and why
	kindAsk       kind = 23 // "where do you take links?"
	kindAddresses kind = 24 // the answer
	kindSwitch    kind = 25 // what follows from this source comes over its own link
	kindWhere     kind = 26 // "say where you are in this collective", as kindWaiting does
	kindCredit    kind = 27 // so many bytes of messages have been received
	kindHeartbeat kind = 28 // a sign of life on a link that was idle
	kindShrink    kind = 29 // to rank 0: the source wants what is left of the communicator
	kindRevoke    kind = 30 // rank 0: the source has shrunk the communicator, which is over
	kindShrunk    kind = 31 // rank 0: what is left of it
	kindClosed    kind = 32 // the source has closed the communicator
	kindStuck     kind = 33 // to rank 0: a call of the source has waited for long
	kindProbe     kind = 34 // rank 0: "how do you stand?"
	kindStanding  kind = 35 // the answer
	kindMemory    kind = 36 // the two ends of a link agree to use memory, see sharing
	kindResume    kind = 37 // the source has got so many frames over the link of the two, which has ended
	kindFetched   kind = 38 // the source has copied a part that was exposed, or cannot
)

var kindNames = map[kind]string{
	kindMessage: "message", kindPart: "part", kindChunk: "chunk",
	kindWaiting: "waiting", kindJoin: "join", kindWelcome: "welcome", kindBye: "bye", kindLeft: "left", kindLost: "lost",
	kindFail: "fail", kindAsk: "ask", kindAddresses: "addresses", kindSwitch: "switch", kindWhere: "where",
	kindCredit: "credit", kindHeartbeat: "heartbeat",
	kindShrink: "shrink", kindRevoke: "revoke", kindShrunk: "shrunk", kindClosed: "closed",
	kindStuck: "stuck", kindProbe: "probe", kindStanding: "standing", kindMemory: "memory", kindResume: "resume",
	kindFetched: "fetched",
}

func (k kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// carriesData says whether the body is a user's, and so of any length.
func (k kind) carriesData() bool { return k <= kindChunk }

// counts says whether such frames can end a wait in a call, so that nobody can
// say that all ranks wait for ever while one is on its way.
func (k kind) counts() bool {
	return k == kindMessage || k == kindPart || k == kindCredit || k == kindFetched
}

// isRelayed says whether rank 0 passes such frames on between two others.
func (k kind) isRelayed() bool {
	switch k {
	case kindMessage, kindPart, kindChunk, kindWaiting, kindWhere, kindAsk, kindAddresses, kindSwitch, kindCredit, kindClosed, kindResume, kindFetched:
		return true
	}
	return false
}

// flagChunked says that the body does not follow the header but comes in
// frames of kindChunk. flagCounted says of a message or part that the sender wants
// to know when it is received, see credit. flagExposed says of a part that the
// body says where it lies, see exposure.
const (
	flagChunked = 1
	flagCounted = 2
	flagExposed = 4
)

// header is what travels in front of every body.
type header struct {
	kind   kind
	call   call   // of kindPart and kindWaiting
	format uint16 // meaning of the body, for the layer above
	flags  uint8
	comm   commID
	source uint32 // rank of the job that sent the frame first
	dest   uint32 // rank of the job that it is for; rank 0 forwards
	tag    uint32 // of a message; of a collective its sequence number
	length uint64 // bytes of body
}

// appendTo appends the wire form of h, headerSize bytes.
func (h *header) appendTo(b []byte) []byte {
	b = append(b, version, byte(h.kind), byte(h.call.op), byte(h.call.algorithm))
	b = binary.BigEndian.AppendUint16(b, h.format)
	b = append(b, h.call.use, h.flags)
	b = binary.BigEndian.AppendUint64(b, uint64(h.comm))
	b = binary.BigEndian.AppendUint32(b, h.source)
	b = binary.BigEndian.AppendUint32(b, h.dest)
	b = binary.BigEndian.AppendUint32(b, h.tag)
	b = binary.BigEndian.AppendUint32(b, h.call.root)
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
		kind: kind(b[1]),
		call: call{
			op: op(b[2]), algorithm: algorithm(b[3]), use: b[6],
			root: binary.BigEndian.Uint32(b[28:]),
		},
		format: binary.BigEndian.Uint16(b[4:]),
		flags:  b[7],
		comm:   commID(binary.BigEndian.Uint64(b[8:])),
		source: binary.BigEndian.Uint32(b[16:]),
		dest:   binary.BigEndian.Uint32(b[20:]),
		tag:    binary.BigEndian.Uint32(b[24:]),
		length: binary.BigEndian.Uint64(b[32:]),
	}
	switch {
	case kindNames[h.kind] == "":
		return header{}, fmt.Errorf("frame of unknown kind %d", b[1])
	case h.length > maxBody:
		return header{}, fmt.Errorf("frame announces %d bytes, at most %d are allowed", h.length, uint64(maxBody))
	case !h.kind.carriesData() && h.length > maxControlBody:
		return header{}, fmt.Errorf("%v frame announces %d bytes, at most %d are allowed", h.kind, h.length, maxControlBody)
	case h.kind.carriesData() && h.flags&flagChunked == 0 && h.length > chunk:
		return header{}, fmt.Errorf("%v frame announces %d bytes, at most %d are allowed but in chunks", h.kind, h.length, chunk)
	case h.flags&flagChunked != 0 && (!h.kind.carriesData() || h.kind == kindChunk):
		return header{}, fmt.Errorf("%v frame in chunks", h.kind)
	case h.flags&flagExposed != 0 && (h.kind != kindPart || h.length != exposureSize):
		return header{}, fmt.Errorf("%v frame of %d bytes with a part that is exposed", h.kind, h.length)
	}
	return h, nil
}
