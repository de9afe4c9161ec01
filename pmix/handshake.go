package pmix

import (
	"encoding/binary"
	"fmt"
)

// maxHandshake is the longest body of a handshake that a server reads, in bytes.
const maxHandshake = 128 << 10

// protocolVersion is the release we claim to be. It selects compatibility
// code in the server: 4.2.2 gets the same answers from 3.2 to 7.0.
const protocolVersion = "4.2.2"

// hello is the client's half of the handshake.
type hello struct {
	security   string // name of the security module
	credential []byte
	namespace  string
	rank       uint32
	module     string // packing module
	codec      codec
}

// append appends the handshake, header included.
func (h hello) append(b []byte) ([]byte, error) {
	var body []byte
	body = appendCString(body, h.security)
	body = binary.BigEndian.AppendUint32(body, uint32(len(h.credential)))
	body = append(body, h.credential...)
	body = append(body, 0) // flag: a simple client
	body = appendCString(body, h.namespace)
	body = binary.BigEndian.AppendUint32(body, h.rank)
	body = appendCString(body, protocolVersion)
	body = appendCString(body, h.module)
	body = append(body, h.codec.bufferType())
	body = appendCString(body, "hash")
	if len(body) > maxHandshake {
		return nil, fmt.Errorf("handshake of %d bytes, servers read %d", len(body), maxHandshake)
	}
	// Host byte order, unlike everything else: pmix_ptl_base_send_connect_ack
	// writes the struct as it is.
	b = binary.NativeEndian.AppendUint32(b, ^uint32(0))
	b = binary.NativeEndian.AppendUint32(b, ^uint32(0))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(body)))
	b = binary.NativeEndian.AppendUint32(b, 0)
	return append(b, body...), nil
}

func appendCString(b []byte, s string) []byte {
	b = append(b, s...)
	return append(b, 0)
}

// welcomeSize is the server's half: a status and the client's index.
const welcomeSize = 8

// parseWelcome returns the index for every later header, or the Status with
// which the server refused.
func parseWelcome(b [welcomeSize]byte) (index uint32, err error) {
	if s := Status(binary.BigEndian.Uint32(b[0:])); s != 0 {
		return 0, s
	}
	return binary.BigEndian.Uint32(b[4:]), nil
}
