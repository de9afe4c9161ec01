package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Reader reads the records of a journal in order.
type Reader struct {
	file   io.ReaderAt
	size   int64
	salt   uint32
	offset int64 // of the next record
	buf    *bufio.Reader
	body   []byte

	// Description is what the journal is of.
	Description Description
}

// Entry is what Next returns: one of the two.
type Entry struct {
	Offset int64 // of the record in the file
	Start  *Start
	Record *Record // until the next call of Next, Body as well
}

// errNoJournal is why a file cannot be read at all.
var errNoJournal = errors.New("it is no journal of this version")

// TornError says that what is behind Offset is no record, and nor is anything
// behind that: the last job that wrote has crashed.
type TornError struct{ Offset, Size int64 }

func (e *TornError) Error() string {
	return fmt.Sprintf("the last %d bytes are no record", e.Size-e.Offset)
}

// DamageError says that there is no record at Offset, but one at Next.
type DamageError struct{ Offset, Next int64 }

func (e *DamageError) Error() string {
	return fmt.Sprintf("it is damaged: what is at byte %d is no record, and good ones follow at byte %d", e.Offset, e.Next)
}

// readBuffer is how much is read at once.
const readBuffer = 1 << 20

// NewReader returns a Reader of a file of this size. A file whose head or
// Description is torn has a *TornError with offset 0.
func NewReader(file io.ReaderAt, size int64) (*Reader, error) {
	r := &Reader{file: file, size: size, offset: int64(headSize)}
	head := make([]byte, min(size, int64(headSize)))
	if _, err := file.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	known := min(len(head), len(magic))
	if string(head[:known]) != magic[:known] {
		return nil, errNoJournal
	}
	if len(head) < headSize {
		return nil, &TornError{0, size}
	}
	r.salt = sum(0, head[len(magic):])
	r.buf = bufio.NewReaderSize(io.NewSectionReader(file, r.offset, size-r.offset), int(min(readBuffer, size)))
	_, body, err := r.next()
	if torn := (*TornError)(nil); err == io.EOF || errors.As(err, &torn) {
		return nil, &TornError{0, size}
	}
	if err != nil {
		return nil, err
	}
	if len(body) == 0 || body[0] != kindDescription {
		return nil, errBody
	}
	r.Description, err = parseDescription(body[1:])
	return r, err
}

// Next returns the next record. At the end of the file the error is io.EOF, or a
// *TornError; nothing comes after any error.
func (r *Reader) Next() (Entry, error) {
	for {
		offset, body, err := r.next()
		if err != nil {
			return Entry{}, err
		}
		if len(body) == 0 {
			continue
		}
		switch e := (Entry{Offset: offset}); body[0] {
		case kindStart:
			start, err := parseStart(body[1:])
			e.Start = &start
			return e, err
		case kindRecord:
			e.Record = new(Record)
			return e, parseRecord(body[1:], e.Record)
		}
	}
}

// next returns the body of the next record, until it is called again.
func (r *Reader) next() (offset int64, body []byte, err error) {
	if r.offset == r.size {
		return 0, nil, io.EOF
	}
	body, err = r.take()
	if err != nil {
		return 0, nil, err
	}
	if body == nil {
		return 0, nil, r.bad()
	}
	offset = r.offset
	r.offset += int64(prefixSize + len(body))
	return offset, body, nil
}

// take reads the record that comes next, nil if there is none.
func (r *Reader) take() ([]byte, error) {
	var prefix [prefixSize]byte
	if _, err := io.ReadFull(r.buf, prefix[:]); err != nil {
		return nil, unlessShort(err)
	}
	length, check, ok := parsePrefix(prefix[:], r.size-r.offset)
	if !ok {
		return nil, nil
	}
	if int64(cap(r.body)) < length {
		r.body = make([]byte, length)
	}
	r.body = r.body[:length]
	if _, err := io.ReadFull(r.buf, r.body); err != nil {
		return nil, unlessShort(err)
	}
	if sum(sum(r.salt, prefix[prefixSize-4:]), r.body) != check {
		return nil, nil
	}
	if length == 0 {
		return []byte{}, nil
	}
	return r.body, nil
}

// unlessShort returns errors other than the end of the file.
func unlessShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// parsePrefix takes the start of a record apart. It is not ok if it is none, or
// one that does not fit into what is left of the file.
func parsePrefix(b []byte, left int64) (length int64, check uint32, ok bool) {
	check = binary.BigEndian.Uint32(b[len(marker):])
	length = int64(binary.BigEndian.Uint32(b[len(marker)+4:]))
	return length, check, string(b[:len(marker)]) == marker && length <= left-int64(prefixSize)
}

// bad says what it means that there is no record at the offset.
func (r *Reader) bad() error {
	window := make([]byte, readBuffer+prefixSize)
	for at := r.offset + 1; at < r.size; at += readBuffer {
		n, err := r.file.ReadAt(window[:min(int64(len(window)), r.size-at)], at)
		if err != nil && err != io.EOF {
			return err
		}
		for b := window[:n]; ; b = b[1:] {
			i := bytes.Index(b, []byte(marker))
			if i < 0 || len(b)-i < prefixSize {
				break
			}
			b = b[i:]
			if next := at + int64(n-len(b)); r.isRecord(b, next) {
				return &DamageError{r.offset, next}
			}
		}
	}
	return &TornError{r.offset, r.size}
}

// isRecord says whether a prefix is that of a record.
func (r *Reader) isRecord(prefix []byte, at int64) bool {
	length, check, ok := parsePrefix(prefix, r.size-at)
	if !ok {
		return false
	}
	w := crcWriter(sum(r.salt, prefix[prefixSize-4:prefixSize]))
	_, err := io.Copy(&w, io.NewSectionReader(r.file, at+int64(prefixSize), length))
	return err == nil && uint32(w) == check
}

// crcWriter is the checksum of what is written to it.
type crcWriter uint32

func (w *crcWriter) Write(b []byte) (int, error) {
	*w = crcWriter(sum(uint32(*w), b))
	return len(b), nil
}
