package loop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// A report that says more is not one of ours: it must not take rank 0's memory.
const (
	maxReported = fullReport/itemOverhead + 1 // items
	maxSpans    = 1 << 16                     // given back: at most one for each slot
)

// parseReport is the opposite of appendReport. The payloads share b.
func parseReport(b []byte) (*report, error) {
	d := decoder{rest: b}
	r := &report{intent: Intent(d.byte())}
	r.why = d.bytes()
	r.end = d.int() - 1
	for n := d.atMost(maxSpans, "spans"); n > 0; n-- {
		r.back = append(r.back, d.span())
	}
	n := d.atMost(maxReported, "items")
	if d.err == nil {
		r.items = make([]Item, n)
	}
	for i := range r.items {
		r.items[i] = d.item()
	}
	r.more = d.int()
	r.times = d.bytes()
	if d.err == nil && len(d.rest) > 0 {
		d.fail("bytes behind its end")
	}
	if d.err == nil && r.intent > halting {
		d.fail(fmt.Sprintf("unknown intent %d", r.intent))
	}
	return r, d.err
}

// parseWindow is the opposite of appendWindow. It also returns which inputs are
// still to come. The others share b.
func parseWindow(b []byte) (w window, follow []int, err error) {
	d := decoder{rest: b}
	switch d.byte() {
	case 0:
		w.span = d.span()
		w.more = d.int()
		w.tries = d.int()
		follow = d.inputs(&w)
	case 1:
		w.over = true
		w.why = d.bytes()
	default:
		d.fail("unknown answer")
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail("bytes behind its end")
	}
	return w, follow, d.err
}

// inputs reads the items of a window.
func (d *decoder) inputs(w *window) (follow []int) {
	n := d.count()
	if n != 0 && n != w.n {
		d.fail("a window with some of its items")
	}
	if d.err != nil || n == 0 {
		return nil
	}
	w.inputs = make([]Input, n)
	for i := range w.inputs {
		var follows bool
		if w.inputs[i], follows = d.input(); follows {
			follow = append(follow, i)
		}
	}
	return follow
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

// atMost is count of what a report has only so many of.
func (d *decoder) atMost(most int, what string) int {
	n := d.count()
	if n > most {
		d.fail(fmt.Sprintf("%d %s, more than a report has", n, what))
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

func (d *decoder) format() uint16 {
	if len(d.rest) < 2 {
		d.fail("cut short")
		return 0
	}
	f := binary.BigEndian.Uint16(d.rest)
	d.rest = d.rest[2:]
	return f
}

func (d *decoder) span() span {
	s := span{first: d.int(), n: d.int()}
	if s.n < 1 || s.end() < s.first {
		d.fail("empty span")
	}
	return s
}

func (d *decoder) item() Item {
	i := Item{Index: d.int(), Duration: time.Duration(d.int()), Status: Status(d.byte())}
	switch i.Status {
	case Done, follows:
	case Value:
		i.Payload.Format = d.format()
		i.Payload.Body = d.bytes()
	case Failed:
		i.Payload.Body = d.bytes()
	case Crashed:
		i.Payload.Body = d.bytes()
		i.Stack = d.bytes()
	default:
		d.fail(fmt.Sprintf("unknown status %d", i.Status))
	}
	return i
}
