package pmix

import (
	"encoding/binary"
	"fmt"
)

const (
	headerSize = 16

	// maxPayload bounds what a server may send at once, in bytes. Servers
	// before 4.1 answer a question about the job with all they know of it,
	// about 250 bytes per rank.
	maxPayload = 64 << 20
)

// header starts every frame after the handshake, in both directions.
type header struct {
	index  uint32 // the client's, from the handshake; the server's means nothing to us
	tag    uint32
	length uint32 // of the payload in bytes
}

func (h header) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, h.index)
	b = binary.BigEndian.AppendUint32(b, h.tag)
	b = binary.BigEndian.AppendUint32(b, h.length)
	return binary.BigEndian.AppendUint32(b, 0)
}

func parseHeader(b [headerSize]byte) (header, error) {
	h := header{
		index:  binary.BigEndian.Uint32(b[0:]),
		tag:    binary.BigEndian.Uint32(b[4:]),
		length: binary.BigEndian.Uint32(b[8:]),
	}
	if h.length > maxPayload {
		return h, fmt.Errorf("server announces a message of %d bytes, more than %d", h.length, maxPayload)
	}
	return h, nil
}
