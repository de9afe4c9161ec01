package timeline

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// reading is a loop of which frames come.
type reading struct {
	loop   *Loop
	zero   int64 // of rank 0's clock
	chunks [][]chunk
}

// chunk is what has come from a rank at once, by its clock.
type chunk struct {
	received, sentTo int64 // by the server's clock
	sent, got        int64 // by the worker's
	paired           bool  // sentTo and got are of one message
	records          []Record
}

// newReading returns nil if the body makes no sense.
func newReading(body []byte) *reading {
	p := parser{rest: body}
	l := &Loop{Notes: map[int]Note{}}
	l.Began = time.Unix(0, p.varint())
	r := &reading{loop: l, zero: p.time()}
	l.Kind, l.Label, l.Job = p.text(), p.text(), p.text()
	l.Items = int(p.varint())
	for n := p.number(maxRanks); n > 0 && !p.bad; n-- {
		slots := p.number(maxSlots)
		l.Ranks = append(l.Ranks, Rank{Slots: int(slots), Host: p.text()})
	}
	if p.bad {
		return nil
	}
	r.chunks = make([][]chunk, len(l.Ranks))
	return r
}

// take takes a frame of the loop. One that makes no sense is passed over.
func (r *reading) take(f *frame) {
	p := parser{rest: f.body}
	switch f.kind {
	case kindChunk:
		r.takeChunk(&p)
	case kindLost:
		loss := Loss{Rank: int(p.number(maxRanks)), At: time.Duration(p.time() - r.zero)}
		for n := p.number(math.MaxInt32); n > 0 && !p.bad; n-- {
			loss.Held = append(loss.Held, Span{int(p.time()), int(p.time())})
		}
		loss.Why = p.text()
		if !p.bad && loss.Rank < len(r.loop.Ranks) {
			r.loop.Losses = append(r.loop.Losses, loss)
		}
	case kindEnd:
		at, dropped, why := p.time()-r.zero, p.number(math.MaxInt32), p.text()
		if !p.bad {
			r.loop.Ended, r.loop.Elapsed, r.loop.Dropped, r.loop.Err = true, max(0, time.Duration(at)), int(dropped), why
		}
	case kindNote:
		for len(p.rest) > 0 {
			n := Note{Index: int(p.time()), Failed: p.byte() != 0, Text: p.text()}
			if p.bad {
				return
			}
			r.loop.Notes[n.Index] = n
		}
	}
}

func (r *reading) takeChunk(p *parser) {
	rank := p.number(maxRanks)
	c := chunk{received: p.time()}
	sentTo := p.number(math.MaxInt64)
	c.sentTo = p.time()
	c.sent = p.time()
	c.paired = p.number(math.MaxInt64) == sentTo && sentTo > 0
	c.got = p.time()
	if p.bad || rank >= uint64(len(r.chunks)) {
		return
	}
	c.records = parseRecords(p, int32(rank))
	r.chunks[rank] = append(r.chunks[rank], c)
}

// parseRecords returns the records of a chunk, those before the first that makes
// no sense.
func parseRecords(p *parser, rank int32) []Record {
	records := make([]Record, 0, len(p.rest)/5)
	var end int64
	index := 0
	for len(p.rest) > 0 {
		head := p.byte()
		record := Record{Rank: rank, Slot: int32(head & manySlots), State: State(head >> slotBits)}
		if record.Slot == manySlots {
			record.Slot += int32(p.number(maxSlots - manySlots - 1))
		}
		start, took := end+p.varint(), p.time()
		record.Start, record.Took = time.Duration(start), time.Duration(took)
		end = start + took
		if record.State.IsItem() {
			record.Index = index + int(p.varint())
			index = record.Index + 1
		}
		if p.bad || record.State >= states || start < -maxTime || end > maxTime || record.Index < 0 {
			break
		}
		records = append(records, record)
	}
	return records
}

// finish puts together what has come.
func (r *reading) finish() {
	l := r.loop
	n := 0
	for _, chunks := range r.chunks {
		for i := range chunks {
			n += len(chunks[i].records)
		}
	}
	l.Records = make([]Record, 0, n)
	for rank, chunks := range r.chunks {
		ahead := differences(rank, chunks)
		for i := range chunks {
			for _, record := range chunks[i].records {
				r.add(record, ahead.at(int64(record.Start)))
			}
		}
	}
	slices.SortFunc(l.Records, InOrder)
	for _, loss := range l.Losses {
		l.Elapsed = max(l.Elapsed, loss.At)
	}
}

// InOrder compares records by rank, slot and start.
func InOrder(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Start, b.Start))
}

// add takes a record whose clock is behind rank 0's by so much.
func (r *reading) add(record Record, behind int64) {
	l := r.loop
	start := int64(record.Start) + behind - r.zero
	end := start + int64(record.Took)
	if end < 0 || end > maxTime || !record.State.IsItem() && end == 0 {
		return
	}
	start = max(0, start) // other ranks may have waited for rank 0
	record.Start, record.Took = time.Duration(start), time.Duration(end-start)
	if record.State.IsItem() || !l.Ended {
		l.Elapsed = max(l.Elapsed, record.End())
	}
	rank := &l.Ranks[record.Rank]
	if record.State == Body { // it is in no slot
		record.Slot = 0
	} else {
		rank.Slots = max(rank.Slots, int(record.Slot)+1)
	}
	if note, ok := l.Notes[record.Index]; ok && record.State == Done && note.Failed {
		record.State = Failed
	}
	l.Records = append(l.Records, record)
}
