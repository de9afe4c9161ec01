package timeline

import (
	"encoding/binary"
	"time"
)

// State is what a record says of a time. The numbers are part of the format.
type State byte

// Items, and what else a rank does. A rank that is lost has no records of what it
// was lost in; see Loss.
const (
	Done    State = iota // an item
	Failed               // an item on which work has returned an error
	Crashed              // an item on which work has panicked
	Cut                  // an item that was told to end
	Waiting              // for rank 0: results go, items come
	Body                 // rank 0's loop body
	states
)

// IsItem says whether a record of this state is about an item.
func (s State) IsItem() bool { return s <= Cut }

const (
	slotBits  = 5
	manySlots = 1<<slotBits - 1
)

// Log has the records of one rank that have not been taken. One goroutine at a
// time uses it. The zero value is ready for use.
type Log struct {
	records []byte
	end     int64 // of the last record
	index   int   // of the last item and 1

	messages int           // that have come
	got      time.Duration // the last one
}

// Add appends a record. Times are by the clock of this rank; index matters for
// items.
func (l *Log) Add(s State, slot, index int, start, took time.Duration) {
	b := l.records
	if slot < manySlots {
		b = append(b, byte(s)<<slotBits|byte(slot))
	} else {
		b = binary.AppendUvarint(append(b, byte(s)<<slotBits|manySlots), uint64(slot-manySlots))
	}
	took = max(0, took)
	b = binary.AppendVarint(b, int64(start)-l.end)
	b = binary.AppendUvarint(b, uint64(took))
	l.end = int64(start + took)
	if s.IsItem() {
		b = binary.AppendVarint(b, int64(index-l.index))
		l.index = index + 1
	}
	l.records = b
}

// Got notes that a message of rank 0 has come.
func (l *Log) Got(now time.Duration) {
	l.messages++
	l.got = now
}

// Size is how many bytes of records wait.
func (l *Log) Size() int { return len(l.records) }

// Take returns what Section.Chunk takes, nil if there are no records, and forgets
// the records. It is sent at once.
func (l *Log) Take(now time.Duration) []byte {
	if len(l.records) == 0 {
		return nil
	}
	b := make([]byte, 0, len(l.records)+3*binary.MaxVarintLen64)
	b = binary.AppendUvarint(b, uint64(now))
	b = binary.AppendUvarint(b, uint64(l.messages))
	b = binary.AppendUvarint(b, uint64(l.got))
	b = append(b, l.records...)
	l.records, l.end, l.index = l.records[:0], 0, 0
	return b
}
