package dlp

import (
	"crypto/sha256"
	"fmt"
	"reflect"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
	"github.com/dlp-mpi/dlp-go/internal/journal"
)

// identifier gives the items of a loop the IDs by which another start knows
// them: a digest of the key or of all that is in an item, and how many items
// with the same digest were before it.
type identifier[T any] struct {
	kind   string // what the digests are of
	append func(b []byte, item *T) []byte
	b      []byte
	seen   map[[16]byte]uint32
}

func newIdentifier[T any](key any) (*identifier[T], error) {
	ids := &identifier[T]{seen: map[[16]byte]uint32{}}
	if key == nil {
		ids.kind, ids.append = "all of an item", value.Canonical[T]()
		if ids.append == nil {
			return nil, fmt.Errorf("a Journal does not know items of type %v again: say with dlp.Key what each is known by", reflect.TypeFor[T]())
		}
		return ids, nil
	}
	byKey, ok := key.(func(T) string)
	if !ok {
		return nil, wrongKey[T](key)
	}
	ids.kind, ids.append = "Key", func(b []byte, item *T) []byte { return append(b, byKey(*item)...) }
	return ids, nil
}

// next returns the ID of the next item.
func (ids *identifier[T]) next(item *T) journal.ID {
	ids.b = ids.append(ids.b[:0], item)
	sum := sha256.Sum256(ids.b)
	id := journal.ID{Digest: [16]byte(sum[:16])}
	id.Occurrence = ids.seen[id.Digest]
	ids.seen[id.Digest]++
	return id
}
