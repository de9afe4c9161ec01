package dlp

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// announcement is what a rank says of a managed loop that it begins.
type announcement struct {
	op       string
	length   int    // number of items, or loop.Unknown
	items    uint64 // digest of the items, 0 if they cannot be compared
	slots    int    // how many items the rank works on at once
	refuse   error  // why the loop cannot begin; of rank 0 alone
	finished []int  // indices of items that are finished before the loop begins, ascending; of rank 0 alone
}

// The kinds of managed loops.
const (
	opSplit    = "split"
	opMap      = "map"
	opFromRoot = "map of rank 0's items"
	opExecute  = "execute" // and the functions
)

// travels says whether rank 0 alone has the items.
func (a *announcement) travels() bool { return a.op == opFromRoot || a.isExecute() }

func (a *announcement) isExecute() bool { return strings.HasPrefix(a.op, opExecute) }

// agreed is what the ranks of a loop know when it begins.
type agreed struct {
	ame   *ame.Comm // of the loop alone
	slots []int     // of each rank; on rank 0 alone
	total int       // of all slots
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
			verdict.Body = binary.AppendUvarint([]byte{begins}, uint64(l.total))
		}
	}
	if verdict, err = c.ame.Bcast(ctx, a.call(), verdict); err != nil {
		return l, cmp.Or(differ, err)
	}
	switch {
	case verdict.Format == value.FormatLoop && len(verdict.Body) > 1 && verdict.Body[0] == begins:
		total, _ := binary.Uvarint(verdict.Body[1:])
		l.total = int(total)
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
	begins     = 0 // the number of all slots follows
	otherItems = 1 // the ranks have different items; all of them look for the first one
)

// useLoop is what the backend is told of the collectives by which a loop
// begins, so that ranks in other collectives get an error that names both calls.
const useLoop = 1

// call is the identity of these collectives.
func (a announcement) call() ame.Call {
	names := map[string]string{opSplit: "SplitManaged", opMap: "MapUnordered", opFromRoot: "MapFromRoot"}
	return ame.Call{Use: useLoop, Name: cmp.Or(names[a.op], "Execute")}
}

// payload is the wire form: length, digest and slots, big endian, and op.
func (a announcement) payload() ame.Payload {
	b := binary.BigEndian.AppendUint64(nil, uint64(int64(a.length)))
	b = binary.BigEndian.AppendUint64(b, a.items)
	b = binary.BigEndian.AppendUint32(b, uint32(a.slots))
	return ame.Payload{Format: value.FormatLoop, Body: append(b, a.op...)}
}

func parseAnnouncement(p ame.Payload) (a announcement, ok bool) {
	if p.Format != value.FormatLoop || len(p.Body) < 20 {
		return a, false
	}
	return announcement{
		length: int(int64(binary.BigEndian.Uint64(p.Body))), items: binary.BigEndian.Uint64(p.Body[8:]),
		slots: int(binary.BigEndian.Uint32(p.Body[16:])), op: printable.Text(string(p.Body[20:])),
	}, true
}

// compareLoops checks that the ranks have announced the same loop.
func compareLoops(all []ame.Payload) error {
	var keys []string // in the order of their first ranks
	ranks := map[string][]int{}
	for rank, p := range all {
		key := announced(p)
		if ranks[key] == nil {
			keys = append(keys, key)
		}
		ranks[key] = append(ranks[key], rank)
	}
	if len(keys) == 1 {
		return nil
	}
	for i, key := range keys {
		keys[i] = fmt.Sprintf("%s on %s", key, loop.RankList(ranks[key]))
	}
	return mismatch("ranks are in different loops: " + strings.Join(keys, "; "))
}

// announced says what loop a rank has announced.
func announced(p ame.Payload) string {
	a, ok := parseAnnouncement(p)
	if !ok {
		return "no loop but a gather of " + value.FormatName(p.Format)
	}
	if a.isExecute() {
		return a.op
	}
	return fmt.Sprintf("%s over %s", a.op, lengthText(a.length))
}

func lengthText(n int) string {
	switch n {
	case loop.Unknown:
		return "a sequence"
	case 1:
		return "1 item"
	}
	return fmt.Sprintf("%d items", n)
}

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
