package dlp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/dlp-mpi/dlp-go/ame"
)

// Tags of the messages of one loop, on a communicator of its own.
const (
	tagReport = 1 // worker -> manager: a report
	tagValue  = 2 // worker -> manager: a value too large for a report, right behind it
	tagWindow = 3 // manager -> worker: a window, or the end
)

// intent says what a worker does after a report.
type intent byte

const (
	intentWork  intent = iota // goes on with the items that it has
	intentMore                // waits for a window
	intentBreak               // has left the loop in good order
	intentPanic               // has left its loop body by a panic
	intentError               // has left because of an error
)

// status says how an item ended.
type status byte

const (
	statusDone    status = iota // without a value
	statusValue                 // its value is in the report
	statusFollows               // its value comes next, in a message of its own
	statusError                 // with the text of an error
	statusPanic                 // with the text and the stack of a panic
)

// largeValue is the size in bytes from which a value travels in a message of
// its own, so that it is not copied.
const largeValue = 64 << 10

// finished is what has become of one item.
type finished struct {
	index    int
	rank     int
	duration time.Duration
	status   status
	payload  ame.Payload // the value, or the text of the error
	stack    []byte      // of a panic
	value    any         // in place of payload if the item was done on rank 0
	size     int         // of value in bytes, as far as known
	err      error       // in place of payload, likewise
}

// bytes is what the item takes of a bounded memory.
func (f *finished) bytes() int { return len(f.payload.Body) + len(f.stack) + f.size + resultOverhead }

// failed says whether the item has an error in place of a value.
func (f *finished) failed() bool { return f.status == statusError || f.status == statusPanic }

// large says whether the item's value is too large for a report.
func (f *finished) large() bool {
	return f.status == statusValue && len(f.payload.Body) >= largeValue
}

// report is what a worker tells the manager.
type report struct {
	items  []finished // the last one alone may be large
	back   []span
	end    int // number of items of the sequence, or unknown
	intent intent
	text   string // of intentError
}

// appendItem appends an item to the body of a report.
func appendItem(b []byte, f *finished) []byte {
	b = binary.AppendUvarint(b, uint64(f.index))
	b = binary.AppendUvarint(b, uint64(max(0, f.duration)))
	if f.large() {
		return append(b, byte(statusFollows))
	}
	b = append(b, byte(f.status))
	switch f.status {
	case statusValue:
		b = binary.BigEndian.AppendUint16(b, f.payload.Format)
		b = appendBytes(b, f.payload.Body)
	case statusError:
		b = appendBytes(b, f.payload.Body)
	case statusPanic:
		b = appendBytes(b, f.payload.Body)
		b = appendBytes(b, f.stack)
	}
	return b
}

func appendBytes(b, data []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(data)))
	return append(b, data...)
}

// appendReport appends the wire form of a report, large values apart.
func appendReport(b []byte, r *report) []byte {
	b = append(b, byte(r.intent))
	b = appendBytes(b, []byte(r.text))
	b = binary.AppendUvarint(b, uint64(r.end+1)) // unknown is -1
	b = binary.AppendUvarint(b, uint64(len(r.back)))
	for _, s := range r.back {
		b = appendSpan(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(r.items)))
	for i := range r.items {
		b = appendItem(b, &r.items[i])
	}
	return b
}

func appendSpan(b []byte, s span) []byte {
	b = binary.AppendUvarint(b, uint64(s.first))
	return binary.AppendUvarint(b, uint64(s.n))
}

// parseReport is the opposite of appendReport. The payloads share b.
func parseReport(b []byte) (*report, error) {
	d := decoder{rest: b}
	r := &report{intent: intent(d.byte())}
	r.text = string(d.bytes())
	r.end = d.int() - 1
	for n := d.count(); n > 0; n-- {
		r.back = append(r.back, d.span())
	}
	n := d.count()
	if d.err == nil {
		r.items = make([]finished, n)
	}
	for i := range r.items {
		r.items[i] = d.item()
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail("bytes behind its end")
	}
	if d.err == nil && r.intent > intentError {
		d.fail(fmt.Sprintf("unknown intent %d", r.intent))
	}
	return r, d.err
}

// window is the manager's answer to intentMore: items, or the end of the loop.
type window struct {
	span
	over bool
	text string // if over: why the loop has failed, else ""
}

func appendWindow(b []byte, w window) []byte {
	if w.over {
		b = append(b, 1)
		return appendBytes(b, []byte(w.text))
	}
	b = append(b, 0)
	return appendSpan(b, w.span)
}

func parseWindow(b []byte) (window, error) {
	d := decoder{rest: b}
	var w window
	switch d.byte() {
	case 0:
		w.span = d.span()
	case 1:
		w.over = true
		w.text = string(d.bytes())
	default:
		d.fail("unknown answer")
	}
	return w, d.err
}

// decoder takes a message of a loop apart. The first error stays.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(why string) {
	if d.err == nil {
		d.err = errors.New("loop message: " + why)
	}
	d.rest = nil
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail("cut short")
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

// int reads a number that fits an int.
func (d *decoder) int() int {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > math.MaxInt>>1 {
		d.fail("bad number")
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

// count reads how many entries follow; each takes at least two bytes.
func (d *decoder) count() int {
	n := d.int()
	if n > len(d.rest)/2 {
		d.fail("more entries than bytes")
		return 0
	}
	return n
}

func (d *decoder) bytes() []byte {
	n := d.int()
	if n > len(d.rest) {
		d.fail("cut short")
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) span() span {
	s := span{first: d.int(), n: d.int()}
	if s.n < 1 || s.end() < s.first {
		d.fail("empty span")
	}
	return s
}

func (d *decoder) item() finished {
	f := finished{index: d.int(), duration: time.Duration(d.int()), status: status(d.byte())}
	switch f.status {
	case statusDone, statusFollows:
	case statusValue:
		if len(d.rest) < 2 {
			d.fail("cut short")
			return f
		}
		f.payload.Format = binary.BigEndian.Uint16(d.rest)
		d.rest = d.rest[2:]
		f.payload.Body = d.bytes()
	case statusError:
		f.payload.Body = d.bytes()
	case statusPanic:
		f.payload.Body = d.bytes()
		f.stack = d.bytes()
	default:
		d.fail(fmt.Sprintf("unknown status %d", f.status))
	}
	return f
}
