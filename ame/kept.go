package ame

import (
	"encoding/binary"
	"fmt"
)

// kept is what this rank has sent over a link and may have to send again: the
// frames of which the other end has not said that it has them. It does no I/O.
type kept struct {
	frames []keptFrame
	had    uint64   // number of frames before the first of them
	copied int      // bytes that are kept for it, frameCost included
	spare  [][]byte // for copies of bodies
	pool   *spares  // for those of long ones
}

type keptFrame struct {
	frame
	lent bool // the body is that of whoever has sent it
}

const (
	// lentBody is the shortest body that is copied only when its sender wants it
	// back: the other end may have it by then.
	lentBody = 64 << 10

	// keptBound is how many bytes are copied, beside the frame that comes to
	// more. Then a writer waits for the other end, which reads whatever its
	// calls do.
	keptBound = 4 << 20

	// keptStep is after how many bytes a rank says what it has.
	keptStep = keptBound / 4

	// Spare copies, and how long one may be.
	maxSpares    = 64
	longestSpare = 4 << 10
)

func (k *kept) full() bool { return k.copied >= keptBound }

func (k *kept) add(h header, body []byte) {
	f := keptFrame{frame{header: h, body: body}, len(body) >= lentBody}
	if !f.lent {
		var to []byte
		if last := len(k.spare) - 1; last >= 0 {
			to, k.spare = k.spare[last], k.spare[:last]
		}
		f.body = append(to[:0], body...)
		k.copied += len(body) + frameCost
	}
	k.frames = append(k.frames, f)
}

// undo takes the last frame back, unless all have been given up meanwhile.
func (k *kept) undo() {
	last := len(k.frames) - 1
	if last < 0 {
		return
	}
	k.drop(&k.frames[last])
	k.frames = k.frames[:last]
}

// forget drops the frames that the other end has: the first n of all that were
// ever added. News may come out of order.
func (k *kept) forget(n uint64) error {
	if sent := k.had + uint64(len(k.frames)); n > sent {
		return fmt.Errorf("it says that it has %d frames of %d", n, sent)
	}
	if n <= k.had {
		return nil
	}
	gone := int(n - k.had)
	for i := range k.frames[:gone] {
		k.drop(&k.frames[i])
	}
	left := copy(k.frames, k.frames[gone:])
	clear(k.frames[left:])
	k.frames, k.had = k.frames[:left], n
	return nil
}

func (k *kept) drop(f *keptFrame) {
	if f.lent {
		return
	}
	k.copied -= len(f.body) + frameCost
	if len(f.body) >= lentBody {
		k.pool.give(f.body)
	} else if cap(f.body) <= longestSpare && len(k.spare) < maxSpares {
		k.spare = append(k.spare, f.body)
	}
}

// shrink gives the memory back if nothing is kept.
func (k *kept) shrink() {
	if len(k.frames) == 0 {
		k.frames, k.spare = nil, nil
	}
}

// own makes copies of the bodies that are lent.
func (k *kept) own() {
	for i := range k.frames {
		if f := &k.frames[i]; f.lent {
			b := k.pool.take(uint64(len(f.body)))
			copy(b, f.body)
			f.body, f.lent = b, false
			k.copied += len(f.body) + frameCost
		}
	}
}

// parseCount reads the body of a frame that says how many frames a rank has.
func parseCount(body []byte) (uint64, error) {
	if len(body) != 8 {
		return 0, fmt.Errorf("a count of %d bytes, want 8", len(body))
	}
	return binary.BigEndian.Uint64(body), nil
}
