package dlp

import (
	"fmt"
	"reflect"

	"github.com/dlp-mpi/dlp-go/dlp/internal/value"
)

// maxSamples is how many items of a loop are compared between the ranks. Of
// more, the first, the last and evenly spread ones are.
const maxSamples = 10_000

// Key compares the items of a loop between the ranks by what key says of
// each. Its argument must be the loop's type of items.
//
// Without it, SplitManaged and MapUnordered compare items that are made of
// bools, numbers, strings, arrays, slices and structs of those, up to 64 KiB of
// each; of other types, such as pointers, only their number. Key is for those,
// and for items that may differ, such as the paths of copies on each node. Of
// more than 10,000 items the first, the last and evenly spread ones are
// compared. A difference is an error on all ranks that names the first one. The
// items of sequences are never compared, nor are the tasks of Execute, where a Key is
// for a Journal alone.
func Key[T any](key func(item T) string) LoopOption {
	return loopOption(func(o *loopOptions) { o.keys = append(o.keys, key) })
}

// samples are the items of a loop that are compared between the ranks. Nil:
// none, because they come one by one or cannot be compared.
type samples struct {
	length int // of the loop
	digest func(index int) uint64
}

// samplesOf returns what to compare of the items, by the key if it is set.
func samplesOf[T any](items *source[T], key any) (*samples, error) {
	s := &samples{length: len(items.slice)}
	if key != nil {
		byKey, ok := key.(func(T) string)
		if !ok {
			return nil, wrongKey[T](key)
		}
		s.digest = func(i int) uint64 { return value.DigestOf(byKey(items.slice[i])) }
	} else {
		s.digest = value.Digests(items.slice)
	}
	if items.seq != nil || s.digest == nil {
		return nil, nil
	}
	return s, nil
}

func wrongKey[T any](key any) error {
	return fmt.Errorf("the key is a %T, but the loop's items are of type %v", key, reflect.TypeFor[T]())
}

// count is the number of samples.
func (s *samples) count() int { return min(s.length, maxSamples) }

// index returns the index of the i-th sample.
func (s *samples) index(i int) int {
	if s.length <= maxSamples {
		return i
	}
	return int(int64(i) * int64(s.length-1) / (maxSamples - 1))
}

// sum is a digest of all samples; 0 if there are none.
func (s *samples) sum() uint64 {
	if s == nil {
		return 0
	}
	var d value.Digest
	for i := range s.count() {
		d.Number(s.digest(s.index(i)))
	}
	return d.Sum()
}

// each returns the digests of the samples, to find those that differ.
func (s *samples) each() []uint64 {
	if s == nil {
		return nil
	}
	digests := make([]uint64, s.count())
	for i := range digests {
		digests[i] = s.digest(s.index(i))
	}
	return digests
}

// key is the Key of a loop, nil if there is none.
func (o *loopOptions) key() any {
	if len(o.keys) == 0 {
		return nil
	}
	return o.keys[len(o.keys)-1]
}
