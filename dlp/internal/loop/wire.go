package loop

import (
	"encoding/binary"
)

// Tags of the messages of one loop.
const (
	tagReport = 1 // worker -> manager: a report
	tagValue  = 2 // worker -> manager: a value too large for a report, right behind it
	tagWindow = 3 // manager -> worker: a window, or the end
	tagCut    = 4 // manager -> worker: what it works on is to end; no body
	tagInput  = 5 // manager -> worker: an input too large for a window, behind it
)

// Intent says what a worker does after a report. The numbers are part of the
// protocol.
type Intent byte

const (
	working Intent = 0 // goes on with the items that it has
	asking  Intent = 1 // waits for a window
	Break   Intent = 2 // has left the loop in good order
	Panic   Intent = 3 // has left its loop body by a panic
	Fail    Intent = 4 // has left because of an error
	halting Intent = 5 // goes on with its item; the loop is to stop
)

// report is what a worker tells the manager.
type report struct {
	items  []Item // the last one alone may be large
	back   []span
	end    int // number of items of the sequence, or Unknown
	intent Intent
	why    []byte // the error, if intent is Fail
	more   int    // if intent is asking: how many slots wait besides one
	times  []byte // of a timeline.Log; empty if nothing is recorded
}

// appendItem appends an item to the body of a report.
func appendItem(b []byte, i *Item) []byte {
	b = binary.AppendUvarint(b, uint64(i.Index))
	b = binary.AppendUvarint(b, uint64(max(0, i.Duration)))
	if i.Large() {
		return append(b, byte(follows))
	}
	b = append(b, byte(i.Status))
	switch i.Status {
	case Value:
		b = binary.BigEndian.AppendUint16(b, i.Payload.Format)
		b = appendBytes(b, i.Payload.Body)
	case Failed:
		b = appendBytes(b, i.Payload.Body)
	case Crashed:
		b = appendBytes(b, i.Payload.Body)
		b = appendBytes(b, i.Stack)
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
	b = appendBytes(b, r.why)
	b = binary.AppendUvarint(b, uint64(r.end+1)) // Unknown is -1
	b = binary.AppendUvarint(b, uint64(len(r.back)))
	for _, s := range r.back {
		b = appendSpan(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(r.items)))
	for i := range r.items {
		b = appendItem(b, &r.items[i])
	}
	b = binary.AppendUvarint(b, uint64(r.more))
	return appendBytes(b, r.times)
}

func appendSpan(b []byte, s span) []byte {
	b = binary.AppendUvarint(b, uint64(s.first))
	return binary.AppendUvarint(b, uint64(s.n))
}

// window is the manager's answer to a worker that asks: items, or the end of
// the loop.
type window struct {
	span
	over   bool
	why    []byte  // if over: the error that the loop ends with, empty if none
	cut    bool    // in place of items: what the worker works on is to end
	more   int     // how many slots that have asked it is for, besides one
	tries  int     // at its item that came to nothing
	inputs []Input // the items, if they travel
}

func appendWindow(b []byte, w window) []byte {
	if w.over {
		b = append(b, 1)
		return appendBytes(b, w.why)
	}
	b = append(b, 0)
	b = appendSpan(b, w.span)
	b = binary.AppendUvarint(b, uint64(w.more))
	b = binary.AppendUvarint(b, uint64(w.tries))
	b = binary.AppendUvarint(b, uint64(len(w.inputs)))
	for i := range w.inputs {
		b = appendInput(b, &w.inputs[i])
	}
	return b
}
