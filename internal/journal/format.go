package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

const (
	magic       = "dlpjrnl\x01"
	marker      = "\xf4dJ\n"
	saltSize    = 16
	headSize    = len(magic) + saltSize
	prefixSize  = len(marker) + 4 + 4 // of a record, before its body
	emptyPrefix = marker + "\x00\x00\x00\x00\x00\x00\x00\x00"

	// maxBody bounds one record: its length has four bytes.
	maxBody = 1<<32 - 1
)

// Kinds of records.
const (
	kindDescription = 1
	kindStart       = 2
	kindRecord      = 3
)

// Description says what a journal is of. A file has one, and is used only where
// all of it is the same.
type Description struct {
	Label    string
	Item     string // type of the items
	Result   string // type of the results
	Version  string // given by the program
	Identity string // what the digests in the IDs are of
}

// Start is a job that has used the file.
type Start struct {
	Time  time.Time
	Job   string
	Hosts []string // by rank
}

// ID is what makes an item the same in another start.
type ID struct {
	Digest     [16]byte
	Occurrence uint32 // how many items before it in the list have the same digest
}

// Record is a finished item.
type Record struct {
	ID
	Index   int // in the list of the start that has finished it
	Rank    int
	Attempt int // from 1
	Ended   time.Time
	Took    time.Duration
	Failed  bool
	Format  uint16
	Body    []byte // the value, or the text of the error
}

// sum is the checksum of a length and a body, or of a part of them, behind what
// has the checksum so far.
func sum(so uint32, b []byte) uint32 { return crc32.Update(so, castagnoli(), b) }

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// appendFrame appends a record whose body the function appends.
func appendFrame(b []byte, salt uint32, body func([]byte) []byte) []byte {
	start := len(b)
	b = append(b, emptyPrefix...)
	b = body(b)
	closeFrame(b[start:], salt)
	return b
}

// closeFrame fills in what precedes the body of a record.
func closeFrame(frame []byte, salt uint32) {
	checked := frame[prefixSize-4:]
	binary.BigEndian.PutUint32(checked, uint32(len(frame)-prefixSize))
	binary.BigEndian.PutUint32(frame[len(marker):], sum(salt, checked))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (d *Description) append(b []byte) []byte {
	b = append(b, kindDescription)
	for _, s := range []string{d.Label, d.Item, d.Result, d.Version, d.Identity} {
		b = appendText(b, s)
	}
	return b
}

func (s *Start) append(b []byte) []byte {
	b = append(b, kindStart)
	b = binary.AppendVarint(b, s.Time.UnixNano())
	b = appendText(b, s.Job)
	b = binary.AppendUvarint(b, uint64(len(s.Hosts)))
	for _, host := range s.Hosts {
		b = appendText(b, host)
	}
	return b
}

func (r *Record) append(b []byte) []byte {
	b = append(b, kindRecord)
	b = append(b, r.Digest[:]...)
	b = binary.AppendUvarint(b, uint64(r.Occurrence))
	b = binary.AppendUvarint(b, uint64(r.Index))
	b = binary.AppendUvarint(b, uint64(r.Rank))
	b = binary.AppendUvarint(b, uint64(r.Attempt))
	b = binary.AppendVarint(b, r.Ended.UnixNano())
	b = binary.AppendUvarint(b, uint64(max(0, r.Took)))
	failed := byte(0)
	if r.Failed {
		failed = 1
	}
	b = append(b, failed)
	b = binary.BigEndian.AppendUint16(b, r.Format)
	return append(b, r.Body...)
}

// errBody is the error of a body that has the right checksum and makes no sense.
var errBody = errors.New("a record has the right checksum and cannot be read: was it written by another version?")

// parser takes a body apart. Once bad it reads zeros.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.rest)) {
		p.bad, p.rest = true, nil
		return nil
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) byte() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *parser) varint() int64 {
	v, n := binary.Varint(p.rest)
	p.take(uint64(max(n, 0)))
	p.bad = p.bad || n <= 0
	return v
}

// number reads a uvarint of at most limit.
func (p *parser) number(limit uint64) uint64 {
	v, n := binary.Uvarint(p.rest)
	p.take(uint64(max(n, 0)))
	if n <= 0 || v > limit {
		p.bad = true
		return 0
	}
	return v
}

func (p *parser) text() string { return string(p.take(p.number(maxBody))) }
