package loop

import (
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// Status says how an item ended. The numbers are part of the protocol.
type Status byte

const (
	Done    Status = 0 // without a value
	Value   Status = 1 // its value is in the report
	follows Status = 2 // its value comes next, in a message of its own
	Failed  Status = 3 // with an error
	Crashed Status = 4 // with an error and the stack of a panic
)

// largeValue is the size in bytes from which a value travels in a message of
// its own, so that it is not copied.
const largeValue = 64 << 10

// itemOverhead is counted, in bytes, for each waiting item besides its value.
const itemOverhead = 128

// Item is what has become of one item.
type Item struct {
	Index    int
	Rank     int
	Attempt  int           // from 1; set by the Server
	Slot     int           // for a timeline, not reported
	Began    time.Duration // the same, by the clock of the rank
	Duration time.Duration
	Resumed  bool // it was finished before the loop began
	Status   Status
	Payload  value.Payload // the value, or an error as Errors encodes it
	Stack    []byte        // if Crashed
	Own      any           // in place of Payload if the item was done on rank 0
	Size     int           // of Own in bytes, as far as known
	Err      error         // in place of Payload, likewise
}

// bytes is what the item takes of a bounded memory.
func (i *Item) bytes() int { return len(i.Payload.Body) + len(i.Stack) + i.Size + itemOverhead }

// HasFailed says whether the item has an error in place of a value.
func (i *Item) HasFailed() bool { return i.Status == Failed || i.Status == Crashed }

// Large says whether the item's value is too large for a report.
func (i *Item) Large() bool { return i.Status == Value && len(i.Payload.Body) >= largeValue }
