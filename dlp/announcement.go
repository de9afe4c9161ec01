package dlp

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/dlp-mpi/dlp-go/ame"
	"github.com/dlp-mpi/dlp-go/dlp/internal/loop"
	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// announcement is what a rank says of a managed loop that it begins.
type announcement struct {
	op       string
	length   int                     // number of items, or loop.Unknown
	items    uint64                  // digest of the items, 0 if they cannot be compared
	slots    int                     // how many items the rank works on at once
	refuse   error                   // why the loop cannot begin; of rank 0 alone
	record   func(slots []int) error // begins the timeline; nil if there is none; of rank 0 alone
	finished []int                   // indices of items that are finished before the loop begins, ascending; of rank 0 alone
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
