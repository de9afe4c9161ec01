package pmix

import (
	"encoding/binary"
	"fmt"
)

// codec is the dialect of one connection: how integers are packed and
// whether items carry their type.
type codec struct {
	fixed     bool // module v3: big endian of full width; else flexible
	described bool // buffers of type 2, "fully described"
}

// bufferType is the dialect's number in the handshake and in packed buffers.
func (c codec) bufferType() byte {
	if c.described {
		return 2
	}
	return 1
}

// flexMax is the longest flexible integer in bytes: eight groups of seven
// bits and a ninth byte that holds the last eight (psquash flex128).
const flexMax = 9

// appendUint packs an unsigned integer of size bytes (2, 4 or 8).
func (c codec) appendUint(b []byte, v uint64, size int) []byte {
	if !c.fixed {
		for i := 1; i < flexMax && v >= 0x80; i++ {
			b = append(b, byte(v)|0x80)
			v >>= 7
		}
		return append(b, byte(v))
	}
	switch size {
	case 2:
		return binary.BigEndian.AppendUint16(b, uint16(v))
	case 4:
		return binary.BigEndian.AppendUint32(b, uint32(v))
	default:
		return binary.BigEndian.AppendUint64(b, v)
	}
}

// appendInt packs a signed integer of size bytes (2, 4 or 8).
func (c codec) appendInt(b []byte, v int64, size int) []byte {
	if c.fixed {
		return c.appendUint(b, uint64(v), size)
	}
	return c.appendUint(b, uint64(v)<<1^uint64(v>>63), size)
}

// uint unpacks an unsigned integer of size bytes.
func (u *unpacker) uint(size int) uint64 {
	var v uint64
	if u.fixed {
		for _, x := range u.bytes(size) {
			v = v<<8 | uint64(x)
		}
		return v
	}
	for i := range flexMax {
		b := u.byte()
		if i == flexMax-1 {
			v |= uint64(b) << (7 * i)
			break
		}
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			break
		}
	}
	if size < 8 && v>>(8*size) != 0 {
		u.fail(fmt.Errorf("the integer %d needs more than %d bytes", v, size))
		return 0
	}
	return v
}

// int unpacks a signed integer of size bytes.
func (u *unpacker) int(size int) int64 {
	v := u.uint(size)
	if u.fixed {
		unused := 64 - 8*size
		return int64(v<<unused) >> unused
	}
	return int64(v>>1) ^ -int64(v&1)
}
