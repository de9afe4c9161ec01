package dlp

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"reflect"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/dlp-mpi/dlp-go/internal/journal"
)

// identifier gives the items of a loop the IDs by which another start knows
// them: a digest of the key or of all that is in an item, and how many items
// with the same digest were before it.
type identifier[T any] struct {
	kind   string // what the digests are of
	digest func(item *T) [16]byte
	seen   map[[16]byte]uint32 // of items that come one by one
}

func newIdentifier[T any](key any) (*identifier[T], error) {
	ids := &identifier[T]{seen: map[[16]byte]uint32{}}
	if key == nil {
		ids.kind, ids.digest = "all of an item", value.Fingerprint[T]()
		if ids.digest == nil {
			return nil, fmt.Errorf("a Journal does not know items of type %v again: say with dlp.Key what each is known by", reflect.TypeFor[T]())
		}
		return ids, nil
	}
	byKey, ok := key.(func(T) string)
	if !ok {
		return nil, wrongKey[T](key)
	}
	ofText := value.Fingerprint[string]()
	ids.kind, ids.digest = "Key", func(item *T) [16]byte {
		text := byKey(*item)
		return ofText(&text)
	}
	return ids, nil
}

// next returns the ID of the next item.
func (ids *identifier[T]) next(item *T) journal.ID {
	id := journal.ID{Digest: ids.digest(item)}
	id.Occurrence = ids.seen[id.Digest]
	ids.seen[id.Digest]++
	return id
}

// all returns the IDs of a list.
func (ids *identifier[T]) all(items []T) []journal.ID {
	list := make([]journal.ID, len(items))
	seen := newMarks(len(items))
	again := newMarks(len(items)) // what two items have marked, mostly by chance
	for i := range items {
		list[i].Digest = ids.digest(&items[i])
		if seen.mark(&list[i]) {
			again.mark(&list[i])
		}
	}
	for i := range list {
		if again.has(&list[i]) {
			list[i].Occurrence = ids.seen[list[i].Digest]
			ids.seen[list[i].Digest]++
		}
	}
	return list
}

// marks are a small table in which items with the same digest have the same
// place, so that only those that share one need be compared.
type marks []uint64

// newMarks returns a table of 16 places or more for each of n items.
func newMarks(n int) marks { return make(marks, 1<<bits.Len(uint(n/4))) }

func (m marks) place(id *journal.ID) (word *uint64, bit uint64) {
	at := binary.BigEndian.Uint64(id.Digest[8:])
	return &m[at>>6&uint64(len(m)-1)], 1 << (at & 63)
}

// mark marks the place of an item, and says whether it was marked.
func (m marks) mark(id *journal.ID) (was bool) {
	word, bit := m.place(id)
	was = *word&bit != 0
	*word |= bit
	return was
}

func (m marks) has(id *journal.ID) bool {
	word, bit := m.place(id)
	return *word&bit != 0
}
