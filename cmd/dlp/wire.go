package main

import (
	"encoding/binary"
	"errors"
	"time"
)

// field is the number of a field of a report, as it travels and lies in a
// journal. Numbers are not used again; a field that is zero is left out.
type field byte

const (
	fieldIndex     field = 1
	fieldAttempt   field = 2
	fieldSlot      field = 3
	fieldPid       field = 4
	fieldStatus    field = 5
	fieldSignal    field = 6
	fieldStarted   field = 7
	fieldTook      field = 8
	fieldTimedOut  field = 9
	fieldCannotRun field = 10
	fieldNote      field = 11
	fieldTail      field = 12
	fieldStdout    field = 13 // size
	fieldStderr    field = 14
	fieldApart     field = 15
	fieldItem      field = 16
	fieldHost      field = 17
	fieldLines     field = 18
	fieldOutput    field = 19 // the bytes of stdout
	fieldErrors    field = 20 // and of stderr
)

// isText is the bit that tells text from a number in front of a field.
const isText = 1

// encode makes the bytes of a report that travel and that a journal keeps: of each
// field a byte, twice its number, and a varint, or if isText is set a uvarint and
// so many bytes. dlp report reads them without the types of this program's package
// dlp.
func (r *report) encode() []byte {
	w := fieldWriter(make([]byte, 0, 64+len(r.Note)+len(r.Tail)+len(r.Item)+len(r.Host)+len(r.Output[0])+len(r.Output[1])))
	w.number(fieldIndex, int64(r.Index))
	w.number(fieldAttempt, int64(r.Attempt))
	w.number(fieldSlot, int64(r.Slot))
	w.number(fieldPid, int64(r.Pid))
	w.number(fieldStatus, int64(r.Status))
	w.number(fieldSignal, int64(r.Signal))
	w.number(fieldStarted, r.Started)
	w.number(fieldTook, int64(r.Took))
	w.truth(fieldTimedOut, r.TimedOut)
	w.truth(fieldCannotRun, r.CannotRun)
	w.text(fieldNote, []byte(r.Note))
	w.text(fieldTail, []byte(r.Tail))
	w.number(fieldStdout, r.Sizes[0])
	w.number(fieldStderr, r.Sizes[1])
	w.truth(fieldApart, r.Apart)
	w.text(fieldItem, []byte(r.Item))
	w.text(fieldHost, []byte(r.Host))
	w.number(fieldLines, int64(r.Lines))
	w.text(fieldOutput, r.Output[0])
	w.text(fieldErrors, r.Output[1])
	return w
}

type fieldWriter []byte

func (w *fieldWriter) number(f field, n int64) {
	if n != 0 {
		*w = binary.AppendVarint(append(*w, byte(f)<<1), n)
	}
}

func (w *fieldWriter) truth(f field, is bool) {
	if is {
		w.number(f, 1)
	}
}

func (w *fieldWriter) text(f field, text []byte) {
	if len(text) > 0 {
		*w = append(binary.AppendUvarint(append(*w, byte(f)<<1|isText), uint64(len(text))), text...)
	}
}

var errReport = errors.New("this is no report of an item")

// decodeReport is the opposite of encode; the output shares memory with b. Fields
// that it does not know are of a later version.
func decodeReport(b []byte) (r report, err error) {
	for len(b) > 0 {
		f, rest := field(b[0]>>1), b[1:]
		if b[0]&isText == 0 {
			number, n := binary.Varint(rest)
			if n <= 0 {
				return report{}, errReport
			}
			r.setNumber(f, number)
			b = rest[n:]
			continue
		}
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return report{}, errReport
		}
		r.setText(f, rest[n:][:length])
		b = rest[n+int(length):]
	}
	return r, nil
}

func (r *report) setNumber(f field, number int64) {
	switch f {
	case fieldIndex:
		r.Index = int(number)
	case fieldAttempt:
		r.Attempt = int(number)
	case fieldSlot:
		r.Slot = int(number)
	case fieldPid:
		r.Pid = int(number)
	case fieldStatus:
		r.Status = int(number)
	case fieldSignal:
		r.Signal = int(number)
	case fieldStarted:
		r.Started = number
	case fieldTook:
		r.Took = time.Duration(number)
	case fieldTimedOut:
		r.TimedOut = true
	case fieldCannotRun:
		r.CannotRun = true
	case fieldStdout:
		r.Sizes[0] = number
	case fieldStderr:
		r.Sizes[1] = number
	case fieldApart:
		r.Apart = true
	case fieldLines:
		r.Lines = int(number)
	}
}

func (r *report) setText(f field, text []byte) {
	switch f {
	case fieldNote:
		r.Note = string(text)
	case fieldTail:
		r.Tail = string(text)
	case fieldItem:
		r.Item = string(text)
	case fieldHost:
		r.Host = string(text)
	case fieldOutput:
		r.Output[0] = text
	case fieldErrors:
		r.Output[1] = text
	}
}
