package loop

import (
	"encoding/binary"
	"time"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// Input is an item that rank 0 alone has, on its way to the rank that works on
// it.
type Input struct {
	Kind    int           // what it is for, where a loop has items of several kinds
	Timeout time.Duration // for the work on it; 0: none
	Payload value.Payload
	Own     any // in place of Payload where no other rank works
}

// inputOverhead is counted, in bytes, for each input besides its payload.
const inputOverhead = 64

// bytes is what the input takes of a bounded memory.
func (i *Input) bytes() int { return len(i.Payload.Body) + inputOverhead }

// Large says whether the input is too large for a window, and so comes behind
// it in a message of its own.
func (i *Input) Large() bool { return len(i.Payload.Body) >= largeValue }

// How an input travels.
const (
	inputInside  = 0 // in the window
	inputFollows = 1 // in a message of its own, behind the window
)

// appendInput appends an input to the body of a window, a large payload apart.
func appendInput(b []byte, i *Input) []byte {
	b = binary.AppendUvarint(b, uint64(i.Kind))
	b = binary.AppendUvarint(b, uint64(max(0, i.Timeout)))
	if i.Large() {
		return append(b, inputFollows)
	}
	b = append(b, inputInside)
	b = binary.BigEndian.AppendUint16(b, i.Payload.Format)
	return appendBytes(b, i.Payload.Body)
}

// input reads what appendInput has written. follows says that the payload is
// still to come.
func (d *decoder) input() (i Input, follows bool) {
	i = Input{Kind: d.int(), Timeout: time.Duration(d.int())}
	switch d.byte() {
	case inputInside:
		i.Payload.Format = d.format()
		i.Payload.Body = d.bytes()
	case inputFollows:
		return i, true
	default:
		d.fail("unknown form of an input")
	}
	return i, false
}

// inputs are the items of a loop that rank 0 alone has, by index, until they are
// finished. The server's mutex guards them.
type inputs struct {
	items map[int]*Input
	ahead int           // bytes of those that were never handed out
	room  chan struct{} // has a value if there may be room for more
}

func newInputs() inputs {
	return inputs{items: map[int]*Input{}, room: make(chan struct{}, 1)}
}

// weight is the size of an item in bytes.
func (in *inputs) weight(index int) int {
	if i := in.items[index]; i != nil {
		return i.bytes()
	}
	return 0
}

// of returns the items of a window.
func (in *inputs) of(s span) []Input {
	out := make([]Input, s.n)
	for i := range out {
		if item := in.items[s.first+i]; item != nil {
			out[i] = *item
		}
	}
	return out
}

// drop lets go of items that nobody will work on any more.
func (in *inputs) drop(spans ...span) {
	for _, s := range spans {
		for index := s.first; index < s.end(); index++ {
			delete(in.items, index)
		}
	}
}

// wake lets Room look again.
func (in *inputs) wake() {
	select {
	case in.room <- struct{}{}:
	default:
	}
}
