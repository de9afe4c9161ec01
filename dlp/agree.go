package dlp

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// agreed is what the ranks of a loop know when it begins.
type agreed struct {
	ame   *ame.Comm // of the loop alone
	slots []int     // of each rank; on rank 0 alone
	total int       // of all slots
	timed bool      // the loop has a timeline
}

// agree makes sure that all ranks are in the same loop over the same items,
// and returns a communicator for the loop alone, which outlives lost ranks. If they are not, each rank
// gets an error that says where they differ, and c still works.
func (c *Comm) agree(ctx context.Context, a announcement, items *samples) (l agreed, err error) {
	all, err := c.ame.Gather(ctx, a.call(), a.payload())
	if err != nil {
		return l, err
	}
	verdict := ame.Payload{Format: value.FormatLoop}
	var differ error // on rank 0
	if c.IsRoot() {
		if differ = cmp.Or(compareLoops(all), a.refuse); differ != nil {
			verdict = errorPayload(differ)
		} else if !sameItems(all) {
			verdict.Body = []byte{otherItems}
		} else {
			l.slots, l.total = slotsOf(all)
			verdict, differ = a.begin(l.slots, l.total)
		}
	}
	if verdict, err = c.ame.Bcast(ctx, a.call(), verdict); err != nil {
		return l, cmp.Or(differ, err)
	}
	switch {
	case verdict.Format == value.FormatLoop && len(verdict.Body) > 1 && verdict.Body[0] == begins:
		total, n := binary.Uvarint(verdict.Body[1:])
		l.total, l.timed = int(total), string(verdict.Body[1+max(0, n):]) == timed
		l.ame, err = c.own(ctx)
		return l, err
	case verdict.Format == value.FormatLoop:
		return l, c.findDifference(ctx, items)
	case verdict.Format == value.FormatError:
		return l, parseError(verdict.Body)
	}
	return l, fmt.Errorf("rank 0 is not in a loop, it has sent %s", value.FormatName(verdict.Format))
}

// slotsOf returns what all ranks have announced.
func slotsOf(all []ame.Payload) (slots []int, total int) {
	for _, p := range all {
		a, _ := parseAnnouncement(p)
		slots = append(slots, a.slots)
		total += a.slots
	}
	return slots, total
}

// timed is behind the verdict of a loop that has a timeline.
const timed = "t"

// begin is the verdict that the loop begins, or why it cannot.
func (a *announcement) begin(slots []int, total int) (verdict ame.Payload, err error) {
	verdict = ame.Payload{Format: value.FormatLoop, Body: binary.AppendUvarint([]byte{begins}, uint64(total))}
	if a.record == nil {
		return verdict, nil
	}
	if err := a.record(slots); err != nil {
		return errorPayload(err), err
	}
	verdict.Body = append(verdict.Body, timed...)
	return verdict, nil
}

// beginAlone is agree of a rank that is alone: what ends a collective ends the
// loop before its first item.
func (c *Comm) beginAlone(ctx context.Context, op string) error {
	_, err := c.ame.Gather(ctx, announcement{op: op}.call(), ame.Payload{})
	return err
}

// own returns a communicator for the loop, once all ranks have theirs: rank 0
// hands out items from then on, and the loss of a rank by one of them must not
// meet another rank that is still in a collective of c.
func (c *Comm) own(ctx context.Context) (*ame.Comm, error) {
	backend, err := c.ame.DupTolerant(ctx)
	if err != nil {
		return nil, err
	}
	if err := backend.Barrier(ctx); err != nil {
		backend.Close()
		return nil, err
	}
	return backend, nil
}

// Verdicts of rank 0.
const (
	begins     = 0 // the number of all slots follows, and timed if there is a timeline
	otherItems = 1 // the ranks have different items; all of them look for the first one
)

// sameItems says whether the digests of the ranks are the same.
func sameItems(all []ame.Payload) bool {
	first, _ := parseAnnouncement(all[0])
	return !slices.ContainsFunc(all, func(p ame.Payload) bool {
		a, _ := parseAnnouncement(p)
		return a.items != first.items
	})
}

// findDifference returns, on all ranks, an error with the first item that is
// not the same on all of them.
func (c *Comm) findDifference(ctx context.Context, items *samples) error {
	p, err := encode(c, items.each())
	if err != nil {
		return err
	}
	all, err := c.ame.Gather(ctx, ame.Call{}, p)
	if err != nil {
		return err
	}
	if c.IsRoot() {
		p = errorPayload(c.difference(all, items))
	}
	if p, err = c.ame.Bcast(ctx, ame.Call{}, p); err != nil {
		return err
	}
	return parseError(p.Body)
}

// sameItemsHint says what makes items the same.
const sameItemsHint = "all ranks must have the same items in the same order: sort what comes from a Go map or a directory, " +
	"make a random order on rank 0 (CallOnRoot), or say with dlp.Key what is the same"

// difference finds the first sample that is not the same on all ranks.
func (c *Comm) difference(all []ame.Payload, items *samples) error {
	digests := make([][]uint64, len(all))
	for rank, p := range all {
		var err error
		if digests[rank], err = decode[[]uint64](c, p); err != nil {
			return c.fromRank(rank, err)
		}
		if len(digests[rank]) != len(digests[0]) {
			return mismatch(fmt.Sprintf("items can be compared on rank 0 or rank %d alone; %s", rank, sameItemsHint))
		}
	}
	for i := range digests[0] {
		var others []int
		for rank := range digests {
			if digests[rank][i] != digests[0][i] {
				others = append(others, rank)
			}
		}
		if others != nil {
			return mismatch(fmt.Sprintf("item %d of rank 0 is not item %[1]d of %s; %s", items.index(i), loop.RankList(others), sameItemsHint))
		}
	}
	return mismatch("ranks have different items; " + sameItemsHint)
}

// mismatch is an ErrMismatch in words of its own.
type mismatch string

func (m mismatch) Error() string { return string(m) }

func (m mismatch) Is(target error) bool { return target == ErrMismatch }
