package timeline

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// File is what is in a file.
type File struct {
	Loops []*Loop // in the order in which they began
	Torn  int     // bytes that are no frame
}

// Loop is what was recorded of a loop. Times are since rank 0 entered it.
type Loop struct {
	Head
	Records []Record // by rank, slot and start
	Losses  []Loss
	Notes   map[int]Note // by index of the item
	Elapsed time.Duration
	Ended   bool   // else whoever wrote it was killed
	Err     string // of the loop; empty if it had none
	Dropped int    // bytes of records that are missing
}

// Record says what a slot of a rank did for a while.
type Record struct {
	Start, Took time.Duration
	Index       int // of the item, if the state is of items
	Rank, Slot  int32
	State       State
}

// End is when it ended.
func (r *Record) End() time.Duration { return r.Start + r.Took }

// Loss is that of a rank.
type Loss struct {
	Rank int
	At   time.Duration
	Held []Span
	Why  string
}

// ErrNone is why a file cannot be read.
var ErrNone = errors.New("it is no timeline of this version")

// Is says whether a file that begins so may be a timeline.
func Is(head []byte) bool {
	return len(head) > 0 && string(head[:min(len(head), len(magic))]) == magic[:min(len(head), len(magic))]
}

const (
	maxSlots = 1 << 16 // of a rank: more make no picture
	maxRanks = 1 << 20
)

// ReadFile reads the file at a path, as Read does; an error names it.
func ReadFile(path string) (*File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := Read(b)
	if err != nil {
		return nil, fmt.Errorf("timeline %s: %w", path, err)
	}
	return file, nil
}

// Read reads what is in a file. What is torn is passed over, so that a program that was
// killed has left what it had written.
//
// The clocks of other ranks are brought to rank 0's as follows. A message of rank 0
// to a rank, and the next chunk from there, say between which bounds the difference
// of the two clocks lies; the narrowest exchange of each ten seconds counts, with the
// middle of its bounds, and between two of them the difference changes evenly. The
// error is at most half of the time that these two messages took together.
func Read(b []byte) (*File, error) {
	if !Is(b) {
		return nil, ErrNone
	}
	file := &File{}
	loops := map[id]*reading{}
	var last *reading
	for b = b[min(len(b), len(magic)):]; len(b) > 0; {
		f, rest, torn, ok := nextFrame(b)
		file.Torn += torn
		if !ok {
			break
		}
		b = rest
		if f.kind == kindLoop {
			if r := newReading(f.body); r != nil {
				loops[f.loop], last = r, r
				file.Loops = append(file.Loops, r.loop)
			}
			continue
		}
		r := loops[f.loop]
		if f.loop == (id{}) {
			r = last
		}
		if r != nil {
			r.take(&f)
		}
	}
	for _, r := range loops {
		r.finish()
	}
	return file, nil
}
