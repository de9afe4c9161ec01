package timeline

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
)

const (
	magic      = "dlptmln\x01"
	marker     = "\xf4dT\n"
	prefixSize = len(marker) + 4 + 4
	idSize     = 8
)

// Kinds of frames.
const (
	kindLoop  = 1
	kindChunk = 2
	kindLost  = 3
	kindEnd   = 4
	kindNote  = 5
)

// id tells loops apart.
type id [idSize]byte

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// appendFrame appends a frame whose body is filled in by fill, behind kind and loop.
func appendFrame(b []byte, kind byte, loop id, fill func([]byte) []byte) []byte {
	start := len(b)
	b = append(b, marker+"\x00\x00\x00\x00\x00\x00\x00\x00"...)
	b = append(append(b, kind), loop[:]...)
	b = fill(b)
	frame := b[start:]
	binary.BigEndian.PutUint32(frame[len(marker)+4:], uint32(len(frame)-prefixSize))
	binary.BigEndian.PutUint32(frame[len(marker):], sum(frame[len(marker)+4:]))
	return b
}

// frame is one of a file.
type frame struct {
	kind byte
	loop id
	body []byte
}

// nextFrame returns the first frame in b, what is behind it, and how many bytes
// before it are none. Not ok says that there is no frame any more.
func nextFrame(b []byte) (f frame, rest []byte, torn int, ok bool) {
	all := len(b)
	for {
		i := bytes.Index(b, []byte(marker))
		if i < 0 || len(b)-i < prefixSize {
			return f, nil, all, false
		}
		b = b[i:]
		length := uint64(binary.BigEndian.Uint32(b[len(marker)+4:]))
		end := uint64(prefixSize) + length
		if end <= uint64(len(b)) && length > idSize && sum(b[len(marker)+4:end]) == binary.BigEndian.Uint32(b[len(marker):]) {
			f.kind = b[prefixSize]
			f.loop = id(b[prefixSize+1:])
			f.body = b[prefixSize+1+idSize : end : end]
			return f, b[end:], all - len(b), true
		}
		b = b[len(marker):]
	}
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parser takes a body apart. Once bad it reads zeros.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) byte() byte {
	if len(p.rest) == 0 {
		p.bad = true
		return 0
	}
	b := p.rest[0]
	p.rest = p.rest[1:]
	return b
}

func (p *parser) skip(n int) {
	if n <= 0 {
		p.bad, p.rest = true, nil
		return
	}
	p.rest = p.rest[n:]
}

func (p *parser) varint() int64 {
	v, n := binary.Varint(p.rest)
	p.skip(n)
	return v
}

// number reads a uvarint of at most limit.
func (p *parser) number(limit uint64) uint64 {
	v, n := binary.Uvarint(p.rest)
	if v > limit {
		n = 0
	}
	p.skip(n)
	if p.bad {
		return 0
	}
	return v
}

// maxTime bounds times, so that their sums are ones.
const maxTime = math.MaxInt64 >> 3

// time reads a clock or a duration.
func (p *parser) time() int64 { return int64(p.number(maxTime)) }

func (p *parser) text() string {
	n := p.number(math.MaxInt32)
	if n > uint64(len(p.rest)) {
		p.bad, p.rest = true, nil
		return ""
	}
	s := string(p.rest[:n])
	p.rest = p.rest[n:]
	return s
}
